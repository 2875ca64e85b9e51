/* SPDX-License-Identifier: MIT
 *
 * A class made anew from what the program's one has, below other bases: for a class below one
 * whose instances are laid out anew, which none of its own statements makes.
 *
 * The invariant: nothing of the program's hears of it. type's own __new__ makes it, below a
 * class besides whose __init_subclass__ is of no consequence, and with its slots alone; what
 * else it has is put into its namespace. The setter of __bases__ then fills the slots of the
 * type (Objects/typeobject.c, type_set_bases and update_all_slots, 3.7 to 3.15).
 */
#include "payload/base/freestanding.h"
#include "payload/python/class_change.h"

/* Slots, __dict__ and __weakref__. */
static int is_of_type(const struct world *w, PyObject *class, PyObject *value)
{
	_cleanup_py_ PyObject *owner =
		py_is(value, w->member_descriptor) || py_is(value, w->getset_descriptor)
			? PyObject_GetAttrString(value, "__objclass__")
			: NULL;

	return owner == class;
}

/* Another metaclass would be asked, here or by the setter. */
static int is_asked(const struct world *w, PyObject *class, PyObject *bases)
{
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_tuple_item(bases, i)); i++)
		if (!PyType_IsSubtype(py_type(class), py_type(item)))
			return 1;
	return class_has_own_mro(w, py_type(class));
}

/* With nothing but its slots; `slots` may be NULL. */
static PyObject *make_bare(const struct world *w, PyObject *class, PyObject *bases,
			   PyObject *slots)
{
	_cleanup_py_ PyObject *name = world_name(class);
	_cleanup_py_ PyObject *qualname = world_qualname(class);
	_cleanup_py_ PyObject *first = class_make_empty(w, w->object, NULL);
	_cleanup_py_ PyObject *list = PySequence_List(bases);

	/* Any type will do that may be called. */
	if (!qualname || !first || !list ||
	    PyObject_SetAttrString(first, "__init_subclass__", w->dict) ||
	    PyList_Insert(list, 0, first))
		return NULL;
	_cleanup_py_ PyObject *above = PyList_AsTuple(list);
	return PyObject_CallMethod(w->type, "__new__", slots ? "OOO{sOsO}" : "OOO{sO}",
				   py_type(class), name, above, "__qualname__", qualname,
				   "__slots__", slots);
}

PyObject *class_copy(const struct world *w, PyObject *class, PyObject *bases)
{
	_cleanup_py_ PyObject *all = world_type_dict(w, class);
	_cleanup_py_ PyObject *slots = PyList_New(0);
	PyObject *name, *value;
	Py_ssize_t at = 0;

	if (!all || is_asked(w, class, bases))
		return NULL;
	while (PyDict_Next(all, &at, &name, &value))
		if (is_of_type(w, class, value) && PyList_Append(slots, name))
			return NULL;
	for (at = 0; at < PyList_Size(slots); at++)
		PyDict_DelItem(all, PyList_GetItem(slots, at));
	/* With a flag of the type; they are worked out anew. */
	PyDict_DelItemString(all, "__abstractmethods__");
	PyErr_Clear();
	value = PyDict_GetItemString(all, "__slots__") ? slots : NULL;
	_cleanup_py_ PyObject *made = make_bare(w, class, bases, value);
	_cleanup_py_ PyObject *space = made ? world_class_namespace(w, made) : NULL;
	return space && !PyDict_Update(space, all) && !class_set_bases(w, made, bases)
		       ? py_take(&made)
		       : NULL;
}
