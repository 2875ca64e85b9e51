/* SPDX-License-Identifier: MIT
 *
 * An object that a definition made, and in whose place it has made another: what decorators
 * made of a function (an lru_cache of another size), a wrapper that an assignment made around
 * one (a partial of other arguments). Neither can take the place of the other in itself, so
 * references to the old one are rebound.
 *
 * The invariant: the old object is that definition's own, which leads to a function of the name
 * that it is bound to, or is a wrapper that no other name has; and the new one was not there
 * before, and takes the place of no other: so a rollback finds the way back.
 */
#include "payload/job/note.h"
#include "payload/job/walk.h"
#include "payload/plan/plan.h"
#include "payload/python/compare.h"

#define DEPTH_MAX 4

/* A wrapper, or an object in whose attributes the function is. Not what cannot be called: a
 * thread or a pool has functions, too. */
static int is_around(const struct lead *to, PyObject *o)
{
	const struct world *w = &to->plan->job->world;

	if (merge_leads(to, o, 0))
		return 1;
	if (world_is_function(o) || world_is_class(o) || !PyCallable_Check(o))
		return 0;
	_cleanup_py_ PyObject *dict = world_own_dict(w, o);
	_cleanup_py_ PyObject *parts = py_call(w->get_referents, o, dict);
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(parts, i)); i++)
		if (merge_leads(to, item, 1))
			return 1;
	PyErr_Clear();
	return 0;
}

/* What the run made is around one that it made, or around one of the program's. */
static int are_around(const struct plan *p, const struct module *m, PyObject *name,
		      PyObject *const values[2])
{
	struct lead to = {.plan = p, .globals = m->live, .name = name};

	if (!is_around(&to, values[0]))
		return 0;
	if (is_around(&to, values[1]))
		return 1;
	to.globals = m->fresh;
	return is_around(&to, values[1]);
}

/* Has a statement that did not change bound the object to another name? */
static int is_shared(PyObject *const names[2], PyObject *name, PyObject *old)
{
	PyObject *key, *value;
	Py_ssize_t at = 0;

	while (PyDict_Next(names[0], &at, &key, &value)) {
		PyObject *now = PyDict_GetItem(names[1], key);
		if (value == old && key != name && (!now || now == old))
			return 1;
	}
	return 0;
}

static int is_wrapper(const struct world *w, PyObject *o)
{
	_cleanup_py_ PyObject *inside = walk_inside(w, o);

	return py_count(inside) && !world_is_function(o) && !py_is(o, w->method);
}

/* In a class another kind may be found otherwise than it is held: a method is held as a
 * function, a property never. */
static int is_made_here(const struct plan *p, const struct module *m, PyObject *name,
			PyObject *const names[2], PyObject *const values[2])
{
	const struct world *w = &p->job->world;
	PyObject *old = values[0], *new = values[1];
	int are_alike = plan_stand_in(p, py_type(new)) == py_type(old);

	if (are_around(p, m, name, values))
		return are_alike || names[0] == m->live;
	return are_alike && is_wrapper(w, old) && !is_shared(names, name, old) &&
	       are_around(p, m, NULL, values);
}

/* Does a module of the program have it by a name, other than `name`? */
static int is_named(const struct plan *p, PyObject *o, PyObject *name)
{
	_cleanup_py_ PyObject *modules = PyDict_Values(p->job->world.modules);
	PyObject *module, *key, *value;

	for (Py_ssize_t i = 0; (module = py_item(modules, i)); i++) {
		PyObject *names = world_is_module(module) ? PyModule_GetDict(module) : NULL;
		Py_ssize_t at = 0;
		while (names && PyDict_Next(names, &at, &key, &value))
			if (value == o && !(world_is_str(key) && compare_texts(key, name)))
				return 1;
	}
	return 0;
}

/* Has the run made the new one, and the definition the old one? A decorator may give back what
 * there was before. */
static int is_exchanged(const struct plan *p, PyObject *name, PyObject *const names[2],
			PyObject *const values[2])
{
	PyObject *old = values[0], *new = values[1], *pair;

	for (Py_ssize_t i = 0; (pair = py_item(p->replaced, i)); i++)
		if (py_first(pair) == old || py_second(pair) == new)
			return 0;
	return !is_named(p, new, NULL) && !is_shared(names, name, new) &&
	       (is_wrapper(&p->job->world, old) || world_is_function(old) ||
		!is_named(p, old, name));
}

/* A group of commands, a dispatcher: what it has collected since is not in the new one, and who
 * holds it shall not miss that. */
static int has_collected(const struct plan *p, PyObject *old, PyObject *new)
{
	const struct world *w = &p->job->world;
	_cleanup_py_ PyObject *had = is_wrapper(w, old) ? NULL : world_own_dict(w, old);
	_cleanup_py_ PyObject *has = had ? world_own_dict(w, new) : NULL;
	PyObject *key, *value;
	Py_ssize_t at = 0;

	while (had && PyDict_Next(had, &at, &key, &value)) {
		PyObject *now = py_get(has, key);
		if (note_size(w, value) > (now ? note_size(w, now) : 0) &&
		    !compare_is_name(key, "__annotations__"))
			return 1;
	}
	return 0;
}

static int replace(struct plan *p, const struct module *m, PyObject *name,
		   PyObject *const names[2], PyObject *const values[2])
{
	PyObject *old = values[0], *new = values[1];
	const struct lead back = {.plan = p, .object = old};

	if (old == new || world_is_class(old) || world_is_class(new) ||
	    (world_is_function(old) && world_is_function(new)) ||
	    !is_made_here(p, m, name, names, values) || is_around(&back, new) ||
	    has_collected(p, old, new) || !is_exchanged(p, name, names, values))
		return 0;
	return plan_replace(p, old, new);
}

/* What is inside of a decorated function may be held by itself, too. */
int merge_replaced(struct plan *p, const struct module *m, PyObject *name,
		   PyObject *const names[2], PyObject *const values[2])
{
	PyObject *old = values[0], *new = plan_stand_in(p, values[1]);
	PyObject *donor = old == new ? pointer_map_get(&p->adopted, old) : new;
	_cleanup_py_ PyObject *olds = walk_inside(&p->job->world, old);
	_cleanup_py_ PyObject *news = donor ? walk_inside(&p->job->world, donor) : NULL;
	PyObject *x, *y;
	int status = 0;

	for (Py_ssize_t i = 0; p->depth < DEPTH_MAX && !status && (x = py_item(olds, i)) &&
			       (y = py_item(news, i));
	     i++) {
		p->depth++;
		status = merge_replaced(p, m, name, names, (PyObject *[]){x, y});
		p->depth--;
	}
	return status ? -1 : replace(p, m, name, names, (PyObject *[]){old, new});
}
