/* SPDX-License-Identifier: MIT
 *
 * Rebinding: what refers to an object for which another stands, refers to that one. Shared by
 * the files that do it; rebind_references() in plan.h is the way in.
 */
#ifndef PAYLOAD_REBIND_REBIND_H
#define PAYLOAD_REBIND_REBIND_H

#include "payload/plan/plan.h"

struct rebind {
	struct plan *plan;
	const struct world *world;
	struct pointer_map ignore; /* our own containers, and what dies with the donors */
	struct pointer_map
		written; /* dict -> set of the names that the plan sets in it anyhow */
	struct pointer_map moving; /* class -> the list of those that get another */
	PyObject *keys;            /* list: the objects whose referrers matter */
	PyObject *hidden;          /* list: what the collector does not list, once known */
};

/* Each -1 with an exception. */

/* --- rebind_ours.c: fills `ignore` and `written` --- */
int rebind_ignore(struct rebind *r, PyObject *o); /* `o` may be NULL */
int rebind_ignore_ours(struct rebind *r);
int rebind_ignore_donors(struct rebind *r);
int rebind_ignore_ancestry(struct rebind *r, PyObject *class);

/* --- rebind_young.c --- */

/* The objects that refer to one of `keys` (a list), as a new list; NULL, without exception,
 * when there are others than it could see. */
PyObject *rebind_young_referrers(struct rebind *r, PyObject *keys);

/* --- rebind_object.c: lists the writes that one object needs --- */
int rebind_object(struct rebind *r, PyObject *o);

#endif
