/* SPDX-License-Identifier: MIT
 *
 * Wrappers that stay around a function which takes a new definition: what functools.wraps
 * copied from the old one they get from the new one. Its decorators do not run again, so nobody
 * else tells them.
 *
 * The invariant: a wrapper that says something of its own keeps it. What was copied is told by
 * its being what the wrapped one has (Lib/functools.py, update_wrapper).
 */
#include "payload/base/freestanding.h"
#include "payload/job/walk.h"
#include "payload/plan/annotations.h"
#include "payload/plan/plan.h"
#include "payload/python/compare.h"

#define DEPTH_MAX 20

/* A function, and the donor whose definition it takes. */
struct wrapped {
	PyObject *old, *donor;
};

/* What is no function has them in its own dict (lru_cache): its class may answer in Python. */
static int copy_name(struct plan *p, PyObject *wrapper, const struct wrapped *f, PyObject *name)
{
	const struct world *w = &p->job->world;
	int is_function = world_is_function(wrapper);
	_cleanup_py_ PyObject *dict = is_function ? NULL : world_own_dict(w, wrapper);
	_cleanup_py_ PyObject *own = is_function ? PyObject_GetAttr(wrapper, name)
				     : dict      ? py_ref(PyDict_GetItem(dict, name))
						 : NULL;
	_cleanup_py_ PyObject *old = own ? PyObject_GetAttr(f->old, name) : NULL;
	_cleanup_py_ PyObject *new = old ? PyObject_GetAttr(f->donor, name) : NULL;

	PyErr_Clear();
	if (!new || !compare_constants(w, own, old) || compare_constants(w, own, new))
		return 0;
	return plan_write(p, dict ? WRITE_ITEM : WRITE_ATTRIBUTE, dict ? dict : wrapper, name,
			  new);
}

static int tell_wrapper(struct plan *p, PyObject *wrapper, const struct wrapped *f)
{
	/* The last is of 3.12 */
	static const char *const names[] = {"__doc__", "__type_params__"};

	if (pointer_map_get(&p->adopted, wrapper))
		return 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		_cleanup_py_ PyObject *name = PyUnicode_FromString(names[i]);
		if (!name || copy_name(p, wrapper, f, name))
			return -1;
	}
	return world_is_function(wrapper)
		       ? annotations_adopt_copied(p, wrapper, f->old, f->donor)
		       : 0;
}

/* Tells every wrapper on the way from `o` to the function. 1 when there is one. */
static int tell_way(struct plan *p, PyObject *o, const struct wrapped *f, int depth)
{
	const struct world *w = &p->job->world;

	if (o == f->old || depth > DEPTH_MAX)
		return o == f->old;
	_cleanup_py_ PyObject *next =
		world_is_class(o) ? NULL : world_own_item(w, o, "__wrapped__");
	_cleanup_py_ PyObject *inside = next ? NULL : walk_inside(w, o);
	int found = next ? tell_way(p, next, f, depth + 1) : inside ? 0 : -1;
	PyObject *item;
	for (Py_ssize_t i = 0; !found && (item = py_item(inside, i)); i++)
		found = tell_way(p, item, f, depth + 1);
	/* cached_property copies, and has no __wrapped__ */
	int may_copy = next || !world_is_function(o);
	return found == 1 && may_copy && tell_wrapper(p, o, f) ? -1 : found;
}

static int adopt_of_module(struct plan *p, const struct module *m)
{
	PyObject *qualname, *pair;
	Py_ssize_t at = 0;

	while (m->donors && PyDict_Next(m->donors, &at, &qualname, &pair)) {
		PyObject *entry = PyDict_GetItem(m->inner, qualname);
		const struct wrapped f = {.old = entry ? py_first(entry) : NULL,
					  .donor = py_first(pair)};
		if (!f.old || pointer_map_get(&p->adopted, f.old) != f.donor)
			continue;
		/* Statements may have stored in the copy that stood for the wrapper. */
		PyObject *wrapper = PyTuple_GetItem(entry, 2);
		if (tell_way(p, wrapper, &f, 0) < 0 ||
		    adopt_own_dict(p, wrapper, py_second(pair)))
			return -1;
	}
	return 0;
}

int adopt_wrappers(struct plan *p)
{
	for (size_t i = 0; i < p->job->modules.count; i++)
		if (adopt_of_module(p, &p->job->modules.items[i]))
			return -1;
	return 0;
}
