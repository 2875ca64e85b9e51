/* SPDX-License-Identifier: MIT
 *
 * Annotations: what of them is not simply a value that the source bound.
 */
#ifndef PAYLOAD_PLAN_ANNOTATIONS_H
#define PAYLOAD_PLAN_ANNOTATIONS_H

#include "payload/plan/plan.h"

/* Is it a name that the compiler made up, which no report needs to mention? */
int annotations_is_hidden(PyObject *name);

/* While planning; -1 with an exception. */

/* Pairs the functions that compute the annotations of two functions. */
int annotations_merge(struct plan *plan, const struct module *module, PyObject *old,
		      PyObject *new);

/* Lists the writes that give `old` the annotations of its donor. */
int annotations_adopt(struct plan *plan, PyObject *old, PyObject *donor);

/* The same for a wrapper of `old`, when what it has are those of `old`, not its own. */
int annotations_adopt_copied(struct plan *plan, PyObject *wrapper, PyObject *old,
			     PyObject *donor);

/* What was computed once is dropped when it would come out differently. `binds` is NULL where a
 * part of the class was made. */
int annotations_drop_of_class(struct plan *plan, PyObject *class, PyObject *current,
			      PyObject *binds);
int annotations_drop_of_module(struct plan *plan, const struct module *module);

#endif
