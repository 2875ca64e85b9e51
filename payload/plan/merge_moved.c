/* SPDX-License-Identifier: MIT
 *
 * Definitions that moved from one module to another: who holds the old one goes with it.
 *
 * The invariant: some changed module's name, which is the definition's own, led to the old one
 * and leads to the new one now; the old module's source defines it no more, and the other
 * module did not have it before.
 */
#include "payload/job/walk.h"
#include "payload/plan/plan.h"
#include "payload/python/code.h"

/* Nothing of the program is asked for it. NULL, maybe with an exception, for other kinds. */
static PyObject *attribute_of(const struct world *w, PyObject *o, const char *name)
{
	if (world_is_class(o))
		return world_type_attribute(o, name);
	return world_is_function(o) || py_is(o, w->lru_cache) ? PyObject_GetAttrString(o, name)
							      : NULL;
}

/* The changed module that defined it and does so no more, or NULL. */
static const struct module *old_home(const struct plan *p, PyObject *name, PyObject *old)
{
	const struct world *w = &p->job->world;
	_cleanup_py_ PyObject *own = attribute_of(w, old, "__name__");
	_cleanup_py_ PyObject *home = own ? attribute_of(w, old, "__module__") : NULL;

	for (size_t i = 0; home && i < p->job->modules.count; i++) {
		const struct module *m = &p->job->modules.items[i];
		if (!m->fresh || PyDict_GetItem(m->live, name) != old ||
		    PyUnicode_Compare(own, name) || PyUnicode_Compare(home, m->name))
			continue;
		_cleanup_py_ PyObject *code = code_find(m->code, name);
		_cleanup_py_ PyObject *before =
			m->old_code ? code_find(m->old_code, name) : py_ref(w->none);
		return code || !before ? NULL : m;
	}
	return NULL;
}

/* Where its run made it: a changed module, or one that was not imported before. Both have the
 * shadow's builtins. */
static int find_new_home(const struct plan *p, struct module *out, PyObject *name,
			 PyObject *old, PyObject *new)
{
	const struct world *w = &p->job->world;
	PyObject *shadow =
		PyDict_GetItem(PyDict_GetItemString(p->shadow->hook, "shadows"), out->name);

	out->object = PyDict_GetItem(w->modules, out->name);
	if (!world_is_module(out->object))
		return 0;
	out->live = PyModule_GetDict(out->object);
	out->fresh = shadow ? PyModule_GetDict(shadow) : out->live;
	PyObject *before = shadow ? PyDict_GetItem(out->live, name) : NULL;
	return PyDict_GetItemString(out->fresh, "__builtins__") == p->shadow->builtins &&
	       PyDict_GetItem(out->fresh, name) == new && (!before || before == old);
}

/* After a rollback it is imported anew. */
static int let_rollback_drop(struct plan *p, const struct module *m)
{
	PyObject *modules = p->job->world.modules;

	if (plan_has_write(p, modules, m->name))
		return 0;
	return writes_add(&p->writes, WRITE_ITEM, modules, m->name, NULL)
		       ? plan_write(p, WRITE_ITEM, modules, m->name, m->object)
		       : -1;
}

static int merge_pair(struct plan *p, PyObject *name, PyObject *old, PyObject *new)
{
	_cleanup_py_ PyObject *new_name = attribute_of(&p->job->world, new, "__module__");
	const struct module *from = new_name ? old_home(p, name, old) : NULL;

	PyErr_Clear();
	if (!from)
		return 0;
	struct module to = {.name = new_name, .code = from->code, .old_code = from->old_code};
	if (!find_new_home(p, &to, name, old, new))
		return 0;
	p->moved_from = from;
	_cleanup_py_ PyObject *merged = merge_value(p, &to, old, new);
	p->moved_from = NULL;
	if (!merged)
		return -1;
	return to.live == to.fresh ? let_rollback_drop(p, &to) : 0;
}

int merge_moved(struct plan *p)
{
	for (size_t i = 0; i < p->job->modules.count; i++) {
		const struct module *m = &p->job->modules.items[i];
		PyObject *name, *new;
		Py_ssize_t at = 0;
		while (m->fresh && PyDict_Next(m->fresh, &at, &name, &new)) {
			PyObject *old = PyDict_GetItem(m->live, name);
			if (old && old != new &&merge_pair(p, name, old, new))
				return -1;
		}
	}
	return 0;
}
