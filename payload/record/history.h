/* SPDX-License-Identifier: MIT
 *
 * The stack of attaches in the home module: what each replaced, when, and what it said.
 */
#ifndef PAYLOAD_RECORD_HISTORY_H
#define PAYLOAD_RECORD_HISTORY_H

#include "payload/plan/plan.h"

/* Entries have positions from 1; the first `dropped` of `count` were dropped when the stack was
 * full. The number of the attach that an entry belongs to may be greater: it changed other
 * interpreters before. */
struct history {
	PyObject *entries; /* list, borrowed from the home module; NULL when there is none */
	Py_ssize_t dropped, count;
};

enum history_field {
	HISTORY_TIME,      /* int: ns since the epoch */
	HISTORY_REPORT,    /* bytes: the records of its changes */
	HISTORY_WRITES,    /* list: record_make() */
	HISTORY_MIGRATED,  /* list of (old class or member of an enum, holder of what
			      replaced it, bases of the old class or None) */
	HISTORY_CACHES,    /* list of holders of lru_cache wrappers */
	HISTORY_BASELINES, /* dict: module key -> (baseline before or None, new
			      code, holder of the module's anchor) */
	HISTORY_NUMBER,    /* int: of the attach, as all interpreters count them */
	HISTORY_FIELD_COUNT
};

/* -1 with an exception: damaged. */
int history_get(struct history *out, struct job *job);

/* Borrowed; checked. NULL with an exception. */
PyObject *history_entry(const struct world *world, const struct history *history,
			Py_ssize_t position);

/* The number of the attach at a position, the last position whose number is not above `number`,
 * and the number of the last one, or of what was dropped. -1 with an exception. */
Py_ssize_t history_number(struct job *job, const struct history *history, Py_ssize_t position);
Py_ssize_t history_position(struct job *job, const struct history *history, Py_ssize_t number);
Py_ssize_t history_newest(struct job *job);

/* Records the plan that was just committed, and what was told of it. */
int history_push(const struct plan *plan);

/* Forgets the attaches above `position`, and puts the baselines back to what they were then. */
int history_cut(struct job *job, struct history *history, Py_ssize_t position);

/* Calls `visit` with each container of our own in there, and with what was replaced. */
int history_visit(struct job *job, int (*visit)(void *context, PyObject *o), void *context);

/* Does nothing refer to the object but containers of the records, and `others` that are known?
 */
int history_holds_alone(struct job *job, PyObject *o, long others);

#endif
