/* SPDX-License-Identifier: MIT
 *
 * See unchanged.h.
 */
#include "payload/diff/unchanged.h"

#include "payload/diff/running.h"
#include "payload/source/origin.h"
#include "payload/source/source.h"

void unchanged_drop(struct job *job)
{
	PyErr_Clear();
	module_fini(&job->modules.items[--job->modules.count]);
}

struct module *unchanged_add(struct job *job, PyObject *key, PyObject *object)
{
	struct module *module = modules_add(&job->modules);

	if (!module)
		return NULL;
	module->name = py_ref(key);
	module->key = py_ref(key);
	module->object = py_ref(object);
	module->anchor = py_ref(object);
	module->live = py_ref(PyModule_GetDict(object));
	if (!origin_find(job, module))
		return module;
	unchanged_drop(job);
	return NULL;
}

int unchanged_is_source(struct job *job, struct module *module)
{
	if (source_compile(job, module) || module->is_translated ||
	    running_compare(job, module) || module->is_changed)
		return 0;
	if (!module->old_code)
		module->old_code = py_ref(module->code);
	return 1;
}
