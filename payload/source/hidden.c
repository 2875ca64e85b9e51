/* SPDX-License-Identifier: MIT
 *
 * One pass over the functions that the collector knows: the globals of a function are the
 * namespace of a module when the function comes from the file that they name, and the import
 * system has made them. So copies of a namespace that somebody executes text in are none, nor
 * the globals that a function gets which comes by value from another process (cloudpickle).
 */
#include "payload/source/hidden.h"

#include "payload/base/freestanding.h"
#include "payload/heap/lanes.h"
#include "payload/heap/untracked.h"
#include "payload/python/code.h"

/* Of many functions with one namespace, the first that fits counts. */
static int look_at(PyObject *o, void *context)
{
	struct hidden *hunt = context;
	PyObject *globals = world_is_function(o) ? PyFunction_GetGlobals(o) : hunt->last;

	/* none: what is left of one that the collector cleared */
	if (!globals || globals == hunt->last)
		return 1;
	if (pointer_map_get(hunt->known, globals))
		hunt->last = globals;
	else if (!pointer_map_get(&hunt->met, o))
		pointer_map_set(&hunt->met, o, globals);
	return 1;
}

static int look_at_all(struct hidden *hunt, PyObject *modules, int may_let_run)
{
	struct world *w = hunt->world;
	_cleanup_py_ PyObject *hidden = untracked_find(w, 0);
	PyObject *item;
	const struct lanes_search search = {
		.modules = modules,
		.visit = look_at,
		.context = hunt,
		.may_let_run = may_let_run,
	};

	for (Py_ssize_t i = 0; (item = py_item(hidden, i)); i++)
		look_at(item, hunt);
	return hidden ? lanes_visit(w, &search) : -1;
}

/* A shadow that an attach in vain left with somebody has builtins of its own. */
static int has_real_builtins(const struct world *w, PyObject *live)
{
	PyObject *found = PyDict_GetItemString(live, "__builtins__");

	return found && (found == w->builtins ||
			 (world_is_module(found) && PyModule_GetDict(found) == w->builtins));
}

static int is_namespace_of(const struct world *w, PyObject *live, PyObject *function)
{
	PyObject *name = PyDict_GetItemString(live, "__name__");
	PyObject *file = PyDict_GetItemString(live, "__file__");

	if (!world_is_str(name) || !world_is_str(file) ||
	    !PyDict_GetItem(live, w->name[NAME_SPEC]) || !has_real_builtins(w, live))
		return 0;
	return code_is_from(PyFunction_GetCode(function), file);
}

int hidden_find(struct hidden *out, struct job *job, PyObject *modules,
		struct pointer_map *known)
{
	*out = (struct hidden){.world = &job->world, .known = known};
	return look_at_all(out, modules, job_may_wait(job)) || PyErr_Occurred() ? -1 : 0;
}

int hidden_tell(const struct hidden *hidden,
		int (*found)(void *context, PyObject *live, PyObject *function), void *context)
{
	const struct pointer_entry *entry;
	size_t at = 0;
	int status = 0;

	while (!status && (entry = pointer_map_next(&hidden->met, &at))) {
		PyObject *function = entry->key, *live = entry->value;
		status = is_namespace_of(hidden->world, live, function)
				 ? pointer_map_add(hidden->known, live)
				 : 0;
		if (status == 1)
			status = found(context, live, function);
	}
	return status;
}

void hidden_fini(struct hidden *hidden)
{
	pointer_map_fini(&hidden->met);
}
