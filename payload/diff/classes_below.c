/* SPDX-License-Identifier: MIT
 *
 * A class below one that is made again, from which its maker took something over (a pydantic
 * model below one that got a field), is made again, too, wherever it is. One of the same module
 * comes behind in its source (statement_needs.c). Other modules that did not change are taken
 * for changed ones. All are chosen from once more then: what they import of those is new now,
 * and who is below may have been looked at before.
 *
 * The invariant: below each class is looked once.
 */
#include "payload/diff/classes_below.h"

#include "payload/base/freestanding.h"
#include "payload/diff/selection.h"
#include "payload/diff/unchanged.h"
#include "payload/python/class_maker.h"
#include "payload/source/source.h"

/* Takes the module that the class is in among the job's. Then, or when it was chosen from
 * before, 1; one in which only lines moved is as if nothing had been chosen. */
static int take_module(struct job *job, PyObject *class)
{
	const struct world *w = &job->world;
	_cleanup_py_ PyObject *names = world_type_dict(w, class);
	PyObject *key = py_get(names, w->name[NAME_MODULE]);
	PyObject *object = world_is_str(key) ? PyDict_GetItem(w->modules, key) : NULL;

	if (!world_is_module(object))
		return 0;
	struct module *module = modules_find(&job->modules, PyModule_GetDict(object));
	if (module && module->is_moved) {
		module->is_moved = 0;
		module->chosen = PyList_New(0);
	}
	if (module)
		return module->chosen != NULL;
	module = unchanged_add(job, key, object);
	if (module && !unchanged_is_source(job, module)) {
		unchanged_drop(job);
		return 0;
	}
	return module != NULL;
}

/* From `at` on those that are made again: is one below in a module to be chosen from? */
static int look_below(struct job *job, Py_ssize_t *at)
{
	PyObject *class, *below;
	int found = 0;

	for (; (class = py_item(job->remade, *at)); ++*at) {
		_cleanup_py_ PyObject *all = py_call(job->world.type_subclasses, class);
		for (Py_ssize_t k = 0; (below = py_item(all, k)); k++)
			found |= world_is_class(below) && !selection_is_remade(job, below) &&
				 class_maker_took_over(&job->world, below, class, NULL) &&
				 take_module(job, below);
		if (PyErr_Occurred())
			return -1;
	}
	return found;
}

/* Those before `count` were chosen from before, unless nothing or all of them runs. */
static int choose_from_all(struct job *job, size_t count, chooser choose)
{
	int status = 0;

	for (size_t i = 0; !status && i < job->modules.count; i++) {
		struct module *module = &job->modules.items[i];
		job->is_told = i < count;
		if (job->is_told && !module->chosen)
			continue;
		if (job->is_told) {
			module_forget_choice(module);
			Py_DecRef(py_take(&module->run_code));
		}
		status = choose(job, module);
		source_let_run(job);
	}
	job->is_told = 0;
	return status;
}

int classes_below_choose(struct job *job, chooser choose)
{
	size_t count = 0;
	Py_ssize_t at = 0;
	int status;

	do {
		if (choose_from_all(job, count, choose))
			return -1;
		count = job->modules.count;
		status = look_below(job, &at);
	} while (status > 0);
	return status;
}
