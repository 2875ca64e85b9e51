/* SPDX-License-Identifier: MIT
 *
 * A class below one that is made again, from which its maker took something over (a pydantic
 * model below one that got a field), is made again, too, wherever it is. One of the same module
 * comes behind in its source (statement_needs.c). Other modules may have been chosen from
 * before, and are again; those that did not change are taken for changed ones.
 *
 * The invariant: below each class is looked once.
 */
#include "payload/diff/classes_below.h"

#include "payload/base/freestanding.h"
#include "payload/diff/selection.h"
#include "payload/diff/unchanged.h"
#include "payload/python/class_maker.h"

/* The module that the class is in, one of the job's then; NULL when there is none, or nothing
 * to be chosen from. */
static struct module *module_of(struct job *job, PyObject *class)
{
	const struct world *w = &job->world;
	_cleanup_py_ PyObject *names = world_type_dict(w, class);
	PyObject *key = names ? PyDict_GetItem(names, w->name[NAME_MODULE]) : NULL;
	PyObject *object = key && py_is(key, w->str) ? PyDict_GetItem(w->modules, key) : NULL;

	if (!object || !world_is_module(w, object))
		return NULL;
	struct module *module = modules_find(&job->modules, PyModule_GetDict(object));
	if (module && !module->chosen)
		return NULL;
	if (module) {
		module_forget_choice(module);
		Py_DecRef(py_take(&module->run_code));
		return module;
	}
	module = unchanged_add(job, key, object);
	if (module && !unchanged_is_source(job, module)) {
		unchanged_drop(job);
		return NULL;
	}
	return module;
}

static int follow(struct job *job, PyObject *class, PyObject *below, chooser choose)
{
	if (!world_is_class(&job->world, below) || selection_is_remade(job, below) ||
	    !class_maker_took_over(&job->world, below, class, NULL))
		return 0;
	size_t count = job->modules.count;
	struct module *module = module_of(job, below);
	if (!module)
		return PyErr_Occurred() ? -1 : 0;
	job->is_told = job->modules.count == count;
	int status = choose(job, module);
	job->is_told = 0;
	return status;
}

int classes_below_follow(struct job *job, chooser choose)
{
	PyObject *class, *below;

	for (Py_ssize_t i = 0; (class = py_item(job->remade, i)); i++) {
		_cleanup_py_ PyObject *all = py_call(job->world.type_subclasses, class);
		if (!all)
			return -1;
		for (Py_ssize_t k = 0; (below = py_item(all, k)); k++)
			if (follow(job, class, below, choose))
				return -1;
	}
	return 0;
}
