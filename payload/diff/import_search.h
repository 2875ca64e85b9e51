/* SPDX-License-Identifier: MIT
 *
 * Does the source of a module import a name from another one?
 */
#ifndef PAYLOAD_DIFF_IMPORT_SEARCH_H
#define PAYLOAD_DIFF_IMPORT_SEARCH_H

#include "payload/job/job.h"

/* `from module import name as bound`, or *; all borrowed. A star is wanted as "*" for both. */
struct import {
	PyObject *module, *name, *bound;
	int is_no_star; /* what * brings is known already */
};

/* `importer` is one of which origin_find() has told where its source is. `imports` is a dict of
 * what was asked for already: address of a module's namespace, which must live as long -> its
 * source, or the list of its from-imports. No exception is left. */
int import_is_in_source(struct job *job, PyObject *imports, struct module *importer,
			const struct import *wanted);

/* Appends the from-imports in a statement or module, which are the statement itself or in
 * blocks. */
int import_nodes(PyObject *node, PyObject *out);

#endif
