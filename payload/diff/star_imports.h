/* SPDX-License-Identifier: MIT
 *
 * Imports with a star. Those of a changed module run again when what they import from may have
 * changed, and so do those of modules that did not change. What they bind is for stars.py of
 * the shadow.
 */
#ifndef PAYLOAD_DIFF_STAR_IMPORTS_H
#define PAYLOAD_DIFF_STAR_IMPORTS_H

#include "payload/diff/selection.h"

/* Is the node `from m import *`? */
int star_imports_is(PyObject *node);

/* Notes those of the module's new body and of its old one. */
int star_imports_note(struct selection *s);

/* Appends to the list `out` those in a block that does not run; of modules that are imported.
 */
int star_imports_lift(const struct selection *s, PyObject *block, PyObject *out);

/* star_importers.c: adds to the job who imports with a star from its modules, but from those
 * that only moved. */
int star_importers_add(struct job *job);

#endif
