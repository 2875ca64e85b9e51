/* SPDX-License-Identifier: MIT
 *
 * Weak references to what is replaced. One cannot be changed: another takes its place, and the
 * pass rebinds the references to it in turn.
 */
#include "payload/rebind/rebind_weak.h"

#include "payload/base/freestanding.h"

/* The same to another object, or NULL without exception: a class of the program's own. An
 * object has one proxy without a callback (Objects/weakrefobject.c, PyWeakref_NewProxy); what
 * one with a callback has, it does not tell. */
static PyObject *same_reference(const struct world *w, PyObject *ref, PyObject *o, PyObject *to)
{
	PyObject *type = py_type(ref);
	_cleanup_py_ PyObject *proxy = PyWeakref_NewProxy(o, NULL);
	if (proxy == ref)
		return PyWeakref_NewProxy(to, NULL);
	_cleanup_py_ PyObject *callback =
		py_attribute(ref, "__callback__"); /* not of a proxy */
	PyObject *made = NULL;

	if (callback && type == world_loaded(w, "_weakref", "ReferenceType"))
		made = PyWeakref_NewRef(to, callback == w->none ? NULL : callback);
	if (callback && type == world_loaded(w, "weakref", "KeyedRef")) {
		_cleanup_py_ PyObject *key = PyObject_GetAttrString(ref, "key");
		made = key ? py_call(type, to, callback, key) : NULL;
	}
	PyErr_Clear();
	return made;
}

static PyObject *references_to(const struct world *w, PyObject *o)
{
	PyObject *find = world_loaded(w, "_weakref", "getweakrefs");
	PyObject *refs = find ? py_call(find, o) : NULL;

	PyErr_Clear();
	return refs;
}

int rebind_is_weakly_held(const struct world *w, PyObject *o)
{
	_cleanup_py_ PyObject *refs = references_to(w, o);

	return py_count(refs) > 0;
}

/* Each base of a class has a weak reference to it in its list of subclasses, which goes with
 * the base. Does nobody else have this one? */
static int is_of_bases_alone(const struct world *w, PyObject *ref, PyObject *class)
{
	_cleanup_py_ PyObject *callback =
		py_attribute(ref, "__callback__"); /* not of a proxy */
	_cleanup_py_ PyObject *bases =
		callback == w->none && world_is_class(class) ? world_bases(class) : NULL;
	_cleanup_py_ PyObject *listed = PyList_New(0); /* once, as `ref` by getweakrefs() */
	long count = world_references(w, ref);
	long least = listed ? world_references(w, listed) : -1;

	PyErr_Clear();
	return bases && count > 0 && least > 0 && count - least == PyTuple_Size(bases);
}

static int replace_references(struct plan *p, PyObject *more, PyObject *o)
{
	const struct world *w = &p->job->world;
	_cleanup_py_ PyObject *refs = references_to(w, o);
	PyObject *ref;

	for (Py_ssize_t i = 0; (ref = py_item(refs, i)); i++) {
		if (is_of_bases_alone(w, ref, o))
			continue;
		_cleanup_py_ PyObject *made = same_reference(w, ref, o, plan_stand_in(p, o));
		if (made &&
		    (pointer_map_set(&p->stand_in, ref, made) || PyList_Append(more, ref)))
			return -1;
	}
	return 0;
}

int rebind_weak(struct plan *p, PyObject *keys)
{
	Py_ssize_t count = PyList_Size(keys);

	for (Py_ssize_t i = 0; i < count; i++) {
		PyObject *key = PyList_GetItem(keys, i);
		if (plan_stand_in(p, key) != key && !world_is_dict(key) &&
		    !world_is_module(key) && replace_references(p, keys, key))
			return -1;
	}
	return 0;
}

int rebind_is_subclass_entry(const struct world *w, PyObject *key, PyObject *value)
{
	if (!py_is(key, w->integer) ||
	    !py_is(value, world_loaded(w, "_weakref", "ReferenceType")))
		return 0;
	_cleanup_py_ PyObject *class = py_call(value);
	int is_entry = class && PyLong_AsLong(key) == (long)class;
	PyErr_Clear();
	return is_entry;
}
