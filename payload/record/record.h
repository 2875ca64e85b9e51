/* SPDX-License-Identifier: MIT
 *
 * What is kept of a commit so that it can be taken back: for each write what was there, and
 * what came, as plain tuples that hold no more of the program alive than they must.
 */
#ifndef PAYLOAD_RECORD_RECORD_H
#define PAYLOAD_RECORD_RECORD_H

#include "payload/plan/plan.h"

/* A reference to `o` that does not keep it alive, where there is such a thing. New reference.
 * `record_held` makes an object of it again: new reference, NULL without exception when it is
 * gone. */
PyObject *record_hold(PyObject *o);
PyObject *record_held(const struct world *world, PyObject *holder);

/* The writes of a plan that was committed, as a list. New reference. */
PyObject *record_make(const struct plan *plan);

/* Adds the inverse of each write, the last first, guarded by what was written. Those of objects
 * that are gone are left out. */
int record_invert(struct writes *out, const struct world *world, PyObject *record);

/* The code of functions before and after, as a list of (old, new). New reference. */
PyObject *record_codes(const struct world *world, PyObject *record);

/* Calls `visit` with each container of a record that nobody but the record has. */
int record_visit(PyObject *record, int (*visit)(void *context, PyObject *o), void *context);

#endif
