/* SPDX-License-Identifier: MIT
 *
 * References in containers that cannot be written into item by item: deque, subclasses of
 * dict, frozensets and what holds objects weakly (WeakSet, WeakKeyDictionary,
 * WeakValueDictionary).
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

/* --- subclasses of dict ----------------------------------------------------------------- */

int rebind_has_old_key(const struct plan *p, PyObject *dict)
{
	PyObject *key, *value;
	Py_ssize_t at = 0;

	while (PyDict_Next(dict, &at, &key, &value))
		if (plan_stand_in(p, key) != key)
			return 1;
	return 0;
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

/* --- frozensets -------------------------------------------------------------------------- */

/* Copies of sets take the hashes over: nobody's __hash__ is called but that of the classes. */
int rebind_frozenset(struct plan *p, PyObject *more, PyObject *frozen)
{
	const struct world *w = &p->job->world;
	_cleanup_py_ PyObject *items = PySequence_List(frozen);
	_cleanup_py_ PyObject *changed = items ? PySet_New(frozen) : NULL;
	int differs = 0;

	if (!changed)
		return -1;
	for (Py_ssize_t i = 0; i < PyList_Size(items); i++) {
		PyObject *item = PyList_GetItem(items, i), *kept = plan_stand_in(p, item);
		if (kept == item)
			continue;
		differs = 1;
		if (PySet_Discard(changed, item) < 0 || PySet_Add(changed, kept))
			return -1;
	}
	if (!differs || pointer_map_get(&p->stand_in, frozen))
		return 0;
	_cleanup_py_ PyObject *new = py_call(w->frozenset, changed);
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
