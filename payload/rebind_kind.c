/* SPDX-License-Identifier: MIT
 *
 * References in containers that cannot be written into item by item: deque, dicts whose keys
 * are replaced or run code when they hash, sets, frozensets and what holds objects weakly
 * (WeakSet, WeakKeyDictionary, WeakValueDictionary).
 *
 * A frozenset and a weak reference cannot be changed: another takes its place, and the pass
 * rebinds the references to it in turn. Only weak references with a callback are looked at:
 * those are somebody's own, while the plain one is shared, with the interpreter's lists of
 * subclasses for one (Objects/weakrefobject.c, Objects/typeobject.c add_subclass).
 */
#include "payload/rebind_kind.h"

#include "payload/freestanding.h"

static PyObject *of_loaded(const struct world *w, const char *module, const char *name)
{
	PyObject *m = PyDict_GetItemString(w->modules, module);

	return m && world_is_module(w, m) ? PyDict_GetItemString(PyModule_GetDict(m), name)
					  : NULL;
}

static int replace(struct plan *p, PyObject *more, PyObject *old, PyObject *new)
{
	return pointer_map_set(&p->stand_in, old, new) || PyList_Append(more, old) ? -1 : 0;
}

/* --- deque ------------------------------------------------------------------------------- */

int rebind_is_deque(const struct world *w, PyObject *o)
{
	return py_is(o, of_loaded(w, "collections", "deque"));
}

/* --- dicts with other keys --------------------------------------------------------------- */

/* Neither hashing nor comparing such a key runs code of the program. */
static int is_plain_key(const struct world *w, PyObject *key)
{
	return py_is(key, w->str) || py_is(key, w->integer) || py_is(key, w->bytes) ||
	       py_is(key, w->boolean) || py_is(key, w->type) || key == w->none;
}

int rebind_judge_dict(const struct plan *p, PyObject *dict)
{
	PyObject *key, *value;
	Py_ssize_t at = 0;
	int needs = -1;

	while (PyDict_Next(dict, &at, &key, &value)) {
		if (plan_stand_in(p, key) != key)
			return 1;
		if (plan_stand_in(p, value) == value)
			continue;
		if (!is_plain_key(&p->job->world, key))
			return 1;
		needs = 0;
	}
	return needs;
}

int rebind_content(struct plan *p, PyObject *dict)
{
	_cleanup_py_ PyObject *content = PyDict_New();
	PyObject *key, *value;
	Py_ssize_t at = 0;

	while (content && PyDict_Next(dict, &at, &key, &value)) {
		PyObject *kept = plan_stand_in(p, key);
		if (kept != key && PyDict_GetItem(dict, kept))
			continue;
		if (PyDict_SetItem(content, kept, plan_stand_in(p, value)))
			return -1;
	}
	if (!content || !writes_add(&p->writes, WRITE_CONTENT, dict, NULL, content))
		return -1;
	return 0;
}

/* --- sets -------------------------------------------------------------------------------- */

/* 1: *changed is a copy with what stands for its items, a new reference; 0: it would be the
 * same. Copies of sets take the hashes over: nobody's __hash__ is called but that of the
 * classes. */
static int change_set(struct plan *p, PyObject *set, PyObject **changed)
{
	_cleanup_py_ PyObject *items = PySequence_List(set);
	_cleanup_py_ PyObject *copy = items ? PySet_New(set) : NULL;
	int differs = 0;

	if (!copy)
		return -1;
	for (Py_ssize_t i = 0; i < PyList_Size(items); i++) {
		PyObject *item = PyList_GetItem(items, i), *kept = plan_stand_in(p, item);
		if (kept == item)
			continue;
		differs = 1;
		if (PySet_Discard(copy, item) < 0 || PySet_Add(copy, kept))
			return -1;
	}
	*changed = differs ? py_take(&copy) : NULL;
	return differs;
}

int rebind_set(struct plan *p, PyObject *set)
{
	_cleanup_py_ PyObject *content = NULL;
	int differs = change_set(p, set, &content);

	if (differs <= 0)
		return differs;
	return writes_add(&p->writes, WRITE_SET, set, NULL, content) ? 0 : -1;
}

int rebind_frozenset(struct plan *p, PyObject *more, PyObject *frozen)
{
	_cleanup_py_ PyObject *changed = NULL;
	int differs = change_set(p, frozen, &changed);

	if (differs <= 0 || pointer_map_get(&p->stand_in, frozen))
		return differs < 0 ? -1 : 0;
	_cleanup_py_ PyObject *new = py_call(p->job->world.frozenset, changed);
	return new ? replace(p, more, frozen, new) : -1;
}

/* --- weak references --------------------------------------------------------------------- */

/* The same to another object, or NULL without exception. */
static PyObject *same_reference(const struct world *w, PyObject *ref, PyObject *to)
{
	PyObject *type = py_type(ref);
	PyObject *keyed = of_loaded(w, "weakref", "KeyedRef");
	_cleanup_py_ PyObject *callback = PyObject_GetAttrString(ref, "__callback__");
	PyObject *made = NULL;

	if (callback && callback != w->none && type == of_loaded(w, "weakref", "ReferenceType"))
		made = py_call(type, to, callback);
	if (callback && callback != w->none && type == keyed) {
		_cleanup_py_ PyObject *key = PyObject_GetAttrString(ref, "key");
		made = key ? py_call(type, to, callback, key) : NULL;
	}
	PyErr_Clear();
	return made;
}

static int replace_references(struct plan *p, PyObject *more, PyObject *o)
{
	const struct world *w = &p->job->world;
	PyObject *find = of_loaded(w, "_weakref", "getweakrefs");
	_cleanup_py_ PyObject *refs = find ? py_call(find, o) : NULL;

	PyErr_Clear();
	for (Py_ssize_t i = 0; refs && i < PyList_Size(refs); i++) {
		PyObject *ref = PyList_GetItem(refs, i);
		_cleanup_py_ PyObject *made = same_reference(w, ref, plan_stand_in(p, o));
		if (made && replace(p, more, ref, made))
			return -1;
	}
	return 0;
}

int rebind_weak(struct plan *p, PyObject *keys)
{
	Py_ssize_t count = PyList_Size(keys);

	for (Py_ssize_t i = 0; i < count; i++) {
		PyObject *key = PyList_GetItem(keys, i);
		if (plan_stand_in(p, key) != key &&
		    (world_is_class(&p->job->world, key) ||
		     py_is(key, p->job->world.function)) &&
		    replace_references(p, keys, key))
			return -1;
	}
	return 0;
}
