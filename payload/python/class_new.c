/* SPDX-License-Identifier: MIT
 *
 * tp_new of a class that has no __new__ any more. The setters leave it as it is then, calling
 * what is not there (Objects/typeobject.c, update_one_slot, 3.7 to 3.15: "specific = (void
 * *)type->tp_new"), and object.__new__() takes no argument from a class whose tp_new is not its
 * own. So it gets the one that a class made now would inherit.
 */
#include "payload/base/freestanding.h"
#include "payload/python/class_change.h"
#include "payload/python/type_word.h"

#define TYPE_NEW 65 /* Py_tp_new: Include/typeslots.h, stable ABI */

/* Classes of ours: up to 3.9 the types written in C do not tell their slots. */
static void *inherited_from(const struct world *w, PyObject *type, PyObject **probe)
{
	*probe = class_make_empty(w, type, NULL);
	return *probe ? PyType_GetSlot(*probe, TYPE_NEW) : NULL;
}

/* Where three types, each with another one, have it; 0: not known. */
static size_t find_offset(const struct world *w)
{
	PyObject *const types[] = {w->integer, w->dict, w->tuple};
	size_t places[TYPE_SIZE / sizeof(void *)] = {0}, found = 0;

	for (size_t i = 0; i < 3; i++) {
		_cleanup_py_ PyObject *probe = NULL;
		void *function = inherited_from(w, types[i], &probe);
		for (size_t at = 0; function && at < TYPE_SIZE / sizeof(void *); at++)
			places[at] += !memcmp((char *)probe + at * sizeof(void *), &function,
					      sizeof(function));
	}
	for (size_t at = 1; at < TYPE_SIZE / sizeof(void *); at++)
		if (places[at] == 3)
			found = found ? TYPE_SIZE : at * sizeof(void *);
	return found < TYPE_SIZE ? found : 0;
}

/* The type in C whose __new__ the class has; NULL when it is one in Python, or one that is no
 * type's own. Borrowed. */
static PyObject *maker_of(const struct world *w, PyObject *class)
{
	_cleanup_py_ PyObject *name = PyUnicode_FromString("__new__");
	PyObject *base = class_that_has(w, class, name);
	_cleanup_py_ PyObject *names = base ? world_type_dict(w, base) : NULL;
	PyObject *made_by = py_get(names, name);
	_cleanup_py_ PyObject *self = py_is(made_by, py_type(w->getrefcount))
					      ? PyObject_GetAttrString(made_by, "__self__")
					      : NULL;

	return self && self == base ? base : NULL;
}

static void settle(const struct world *w, PyObject *class, size_t offset, int depth)
{
	_cleanup_py_ PyObject *maker = py_ref(maker_of(w, class));
	_cleanup_py_ PyObject *below = py_call(w->type_subclasses, class);
	_cleanup_py_ PyObject *probe = NULL;
	void *wanted = maker ? inherited_from(w, maker, &probe) : NULL;

	if (wanted && PyType_GetSlot(class, TYPE_NEW) != wanted) {
		memcpy((char *)class + offset, &wanted, sizeof(wanted));
		PyType_Modified(class);
	}
	PyObject *item;
	for (Py_ssize_t i = 0; depth < 200 && (item = py_item(below, i)); i++)
		settle(w, item, offset, depth + 1);
}

void class_settle_new(const struct world *w, PyObject *class)
{
	size_t offset = find_offset(w);

	if (offset)
		settle(w, class, offset, 0);
	PyErr_Clear();
}
