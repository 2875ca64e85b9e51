/* SPDX-License-Identifier: MIT
 *
 * Which old object takes the definition of which new one. The invariant: an old object is
 * paired only with one that the shadow run made; what a module merely imports is never adopted
 * into.
 */
#include "payload/base/freestanding.h"
#include "payload/job/walk.h"
#include "payload/plan/annotations.h"
#include "payload/plan/plan.h"
#include "payload/python/code.h"
#include "payload/python/compare.h"

#define DEPTH_MAX 20

/* 3.9: lru_cache leaves a closure over its parameters in the wrapper, `typed` among them. */
static int are_parameters_same(const struct world *w, PyObject *old, PyObject *new)
{
	_cleanup_py_ PyObject *size = walk_cache_size(old), *wanted = walk_cache_size(new);
	_cleanup_py_ PyObject *x = world_own_item(w, old, "cache_parameters");
	_cleanup_py_ PyObject *y = world_own_item(w, new, "cache_parameters");

	if (size && wanted && !compare_constants(w, size, wanted))
		return 0;
	if (!world_is_function(x) || !world_is_function(y))
		return 1;
	_cleanup_py_ PyObject *a = walk_inside(w, x), *b = walk_inside(w, y);
	PyObject *one, *other;
	for (Py_ssize_t i = 0; (one = py_item(a, i)) && (other = py_item(b, i)); i++)
		if (!compare_constants(w, one, other))
			return 0;
	PyErr_Clear();
	return 1;
}

static int is_attribute_same(const struct world *w, PyObject *a, PyObject *b, const char *name)
{
	_cleanup_py_ PyObject *x = py_attribute(a, name), *y = py_attribute(b, name);

	return x && y && compare_constants(w, x, y);
}

/* May the old wrapper stay around what is inside? */
static int may_wrapper_stay(struct plan *p, PyObject *old, PyObject *new)
{
	const struct world *w = &p->job->world;

	if (py_is(old, w->lru_cache))
		return are_parameters_same(w, old, new) && !PyList_Append(p->caches, old);
	if (py_is(old, w->property))
		return is_attribute_same(w, old, new, "__doc__");
	if (py_is(old, w->partial)) {
		_cleanup_py_ PyObject *keywords = PyObject_GetAttrString(new, "keywords");
		return is_attribute_same(w, old, new, "args") && world_is_dict(keywords) &&
		       !PyDict_Size(keywords);
	}
	return !py_is(old, w->method);
}

/* property(fget, fset, fdel), staticmethod(f), classmethod(f) around the kept functions. */
static PyObject *rewrap(struct plan *p, PyObject *new, PyObject *inside)
{
	const struct world *w = &p->job->world;

	if (!py_is(new, w->property) && !py_is(new, w->staticmethod) &&
	    !py_is(new, w->classmethod))
		return py_ref(new);
	/* The function has the new docstring only after the commit. */
	_cleanup_py_ PyObject *doc =
		py_is(new, w->property) ? PyObject_GetAttrString(new, "__doc__") : NULL;
	if (doc && PyList_Append(inside, doc))
		return NULL;
	_cleanup_py_ PyObject *args = PyList_AsTuple(inside);
	_cleanup_py_ PyObject *made = args ? PyObject_CallObject(py_type(new), args) : NULL;
	if (!made || pointer_map_set(&p->stand_in, new, made))
		return NULL;
	return py_take(&made);
}

static PyObject *merge_wrappers(struct plan *p, const struct module *m, PyObject *old,
				PyObject *new)
{
	const struct world *w = &p->job->world;
	_cleanup_py_ PyObject *olds = walk_inside(w, old), *news = walk_inside(w, new);
	int unchanged = 1;

	if (!olds || !news)
		return NULL;
	if (!PyList_Size(news) || PyList_Size(olds) != PyList_Size(news) ||
	    !merge_is_new(p, m, new))
		return py_ref(new);
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(news, i)); i++) {
		_cleanup_py_ PyObject *merged =
			merge_value(p, m, PyList_GetItem(olds, i), item);
		_cleanup_py_ PyObject *single = merged ? PyList_New(0) : NULL;
		if (py_append(single, merged) || PyList_SetSlice(news, i, i + 1, single))
			return NULL;
		unchanged &= merged == PyList_GetItem(olds, i);
	}
	if (!unchanged || !may_wrapper_stay(p, old, new))
		return rewrap(p, new, news);
	return pointer_map_set(&p->stand_in, new, old) ? NULL : py_ref(old);
}

/* Functions in the values of two dicts under one name; the new dict is what stays. */
static int merge_dicts(struct plan *p, const struct module *m, PyObject *old, PyObject *new)
{
	PyObject *key, *value;
	Py_ssize_t at = 0;

	while (PyDict_Next(new, &at, &key, &value)) {
		PyObject *before = world_is_str(key) ? PyDict_GetItem(old, key) : NULL;
		if (!before || (!world_is_function(value) && !world_is_class(value)))
			continue;
		_cleanup_py_ PyObject *merged = merge_value(p, m, before, value);
		if (!merged)
			return -1;
	}
	return 0;
}

/* Objects of one class, dispatch tables: the new one stays, the functions in it are adopted. */
static int merge_contents(struct plan *p, const struct module *m, PyObject *old, PyObject *new)
{
	const struct world *w = &p->job->world;

	if (plan_stand_in(p, py_type(new)) != py_type(old) || world_is_module(old) ||
	    world_is_class(old))
		return 0;
	if (world_is_dict(old))
		return merge_dicts(p, m, old, new);
	_cleanup_py_ PyObject *old_dict = world_own_dict(w, old);
	_cleanup_py_ PyObject *new_dict = old_dict ? world_own_dict(w, new) : NULL;
	return new_dict ? merge_dicts(p, m, old_dict, new_dict) : 0;
}

static PyObject *merge_deeper(struct plan *p, const struct module *m, PyObject *old,
			      PyObject *new)
{
	const struct world *w = &p->job->world;

	if (world_is_function(old) && world_is_function(new))
		return merge_functions(p, m, old, new);
	if (world_is_class(old) && world_is_class(new))
		return merge_classes(p, m, old, new);
	if (py_type(old) == py_type(new) && !world_is_function(old)) {
		_cleanup_py_ PyObject *inside = walk_inside(w, new);
		if (!inside)
			return NULL;
		if (PyList_Size(inside))
			return merge_wrappers(p, m, old, new);
	}
	return merge_contents(p, m, old, new) ? NULL : py_ref(new);
}

PyObject *merge_value(struct plan *p, const struct module *m, PyObject *old, PyObject *new)
{
	PyObject *known = pointer_map_get(&p->stand_in, new);

	if (old == new || known)
		return py_ref(known ? known : new);
	if (compare_constants(&p->job->world, old, new))
		return py_ref(old);
	if (p->depth >= DEPTH_MAX)
		return py_ref(new);
	p->depth++;
	PyObject *merged = merge_deeper(p, m, old, new);
	p->depth--;
	return merged;
}

/* What a function or class calls itself; NULL without exception for anything else. */
static PyObject *own_name(PyObject *value)
{
	_cleanup_py_ PyObject *own = NULL;

	if (world_is_function(value))
		own = PyObject_GetAttrString(value, "__name__");
	else if (world_is_class(value))
		own = world_name(value);
	PyErr_Clear();
	return world_is_str(own) ? py_take(&own) : NULL;
}

/* Aliases come second, so that `def f` meets the old f before `g = f` does. */
static int is_under_own_name(PyObject *name, PyObject *value)
{
	_cleanup_py_ PyObject *own = own_name(value);

	return compare_texts(own, name);
}

/* `g = f` became `def g`, or `g = h`: what is called f is still that of f. */
static int is_of_other_name(const struct module *m, PyObject *name, PyObject *old)
{
	_cleanup_py_ PyObject *own = own_name(old);

	return own && PyUnicode_Compare(own, name) && PyDict_GetItem(m->live, own) == old &&
	       PyDict_GetItem(m->fresh, own);
}

/* What is cached was computed by the old function. */
static int clear_caches(struct plan *p, PyObject *value, int depth)
{
	const struct world *w = &p->job->world;
	_cleanup_py_ PyObject *inside = depth < 4 ? walk_inside(w, value) : NULL;

	if (py_is(value, w->lru_cache) && PyList_Append(p->caches, value))
		return -1;
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(inside, i)); i++)
		if (clear_caches(p, item, depth + 1))
			return -1;
	return 0;
}

/* Has a decorator that was added above put a function around what stood for the old one? Then
 * the old one becomes that, around a function of its own. */
static int is_wrapped_anew(const struct module *m, PyObject *name, PyObject *entry,
			   PyObject *meanwhile)
{
	PyObject *fresh = PyDict_GetItem(m->fresh, name);

	return py_number(entry, 4) && fresh != meanwhile && world_is_function(fresh) &&
	       meanwhile != PyTuple_GetItem(entry, 2);
}

/* Functions that ran without their decorators: what those once made stays, around the function
 * that takes the new definition. Meanwhile a copy may have stood for it. */
static int merge_undecorated(struct plan *p, const struct module *m)
{
	PyObject *qualname, *pair;
	Py_ssize_t at = 0;

	while (m->donors && PyDict_Next(m->donors, &at, &qualname, &pair)) {
		PyObject *entry = PyDict_GetItem(m->inner, qualname);
		PyObject *kept = entry ? PyTuple_GetItem(entry, 2) : NULL;
		PyObject *meanwhile = py_second(pair);
		if (entry && is_wrapped_anew(m, qualname, entry, meanwhile))
			continue;
		_cleanup_py_ PyObject *merged =
			entry ? merge_value(p, m, py_first(entry), py_first(pair)) : NULL;
		if (!merged || clear_caches(p, kept, 0) ||
		    (meanwhile != kept && pointer_map_set(&p->stand_in, meanwhile, kept)))
			return -1;
	}
	return 0;
}

int merge_names(struct plan *p, struct module *m)
{
	PyObject *name, *value;

	Py_DecRef(py_take(&m->binds));
	m->binds = PyDict_New();
	_cleanup_py_ PyObject *names = PyDict_Copy(m->fresh);
	if (!m->binds || !names || merge_undecorated(p, m))
		return -1;
	for (int is_alias = 0; is_alias < 2; is_alias++) {
		Py_ssize_t at = 0;
		while (PyDict_Next(names, &at, &name, &value)) {
			if (!world_is_str(name) || is_under_own_name(name, value) == is_alias)
				continue;
			PyObject *old = PyDict_GetItem(m->live, name);
			int is_other = !old || is_of_other_name(m, name, old);
			if (old && module_is_superseded(m, name)) {
				value = old;
				is_other = 1;
			}
			_cleanup_py_ PyObject *merged =
				is_other ? py_ref(value) : merge_value(p, m, old, value);
			if (py_put(m->binds, name, merged) ||
			    (!is_other &&
			     merge_replaced(p, m, name, (PyObject *[]){m->live, m->fresh},
					    (PyObject *[]){old, merged})))
				return -1;
		}
	}
	return 0;
}
