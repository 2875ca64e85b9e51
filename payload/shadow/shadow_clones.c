/* SPDX-License-Identifier: MIT
 *
 * Clones of what new code calls and that did not change: hooks/clones.py makes them. Here is
 * whether there may be any.
 */
#include "payload/base/freestanding.h"
#include "payload/shadow/shadow.h"

PyObject *shadow_clones_find(const struct job *job)
{
	_cleanup_py_ PyObject *found = PyList_New(0);
	int may_call = 0;

	for (size_t i = 0; i < job->modules.count; i++)
		may_call |= job->modules.items[i].may_call;
	for (size_t i = 0; found && may_call && i < job->modules.count; i++) {
		const struct module *m = &job->modules.items[i];
		_cleanup_py_ PyObject *entry =
			m->is_partial ? PyTuple_Pack(4, m->live, m->fresh, m->chosen, m->uses)
				      : NULL;
		if (m->is_partial && py_append(found, entry))
			return NULL;
	}
	return py_take(&found);
}

/* (clone, what it stands for) becomes an item of shadow->clones. */
static int add_clone(const struct shadow *s, const struct world *w, PyObject *pair)
{
	PyObject *value = py_second(pair);
	_cleanup_py_ PyObject *count =
		world_is_function(value) ? py_call(w->getrefcount, PyFunction_GetCode(value))
					 : PyLong_FromLong(0);
	_cleanup_py_ PyObject *clone =
		count ? PyTuple_Pack(3, py_first(pair), value, count) : NULL;

	return py_append(s->clones, clone);
}

int shadow_clones_make(const struct shadow *s, const struct job *job, PyObject *found)
{
	PyObject *clone_all = PyDict_GetItemString(s->hook, "clone_all");

	if (!clone_all)
		return 0;
	_cleanup_py_ PyObject *pairs = py_call(clone_all, found);
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(pairs, i)); i++)
		if (add_clone(s, &job->world, item))
			return -1;
	return pairs ? 0 : -1;
}
