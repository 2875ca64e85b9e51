/* SPDX-License-Identifier: MIT
 *
 * The names of a changed module whose statements are gone.
 */
#ifndef PAYLOAD_DIFF_NAMES_GONE_H
#define PAYLOAD_DIFF_NAMES_GONE_H

#include "payload/job/job.h"

/* As a list: before new code ran, those that no statement of the new source binds; after it,
 * those that are not there any more, whoever took them away. New reference. */
PyObject *names_gone(const struct world *world, const struct module *module);

/* Is it a function or class that was defined in the module's file under this name? */
int names_is_definition(const struct world *world, const struct module *module, PyObject *name,
			PyObject *value);

/* Is the value a submodule? The import system put it there, whatever the statements say. */
int names_is_submodule(const struct world *world, const struct module *module, PyObject *name,
		       PyObject *value);

#endif
