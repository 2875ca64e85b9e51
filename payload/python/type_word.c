/* SPDX-License-Identifier: MIT
 *
 * A pass over the heap asks each object for its type, and most of what the payload decides goes
 * by types. PyObject_Type() is a call that counts references; the word itself is one load. A
 * type's base can be asked for, too, but there is no way to set it (class_change.c).
 *
 * The invariant: a word is used where it was seen to be the type in objects of six types, the
 * base in three types, and where nothing else that they begin with is the same in all of them.
 */
#include "payload/python/type_word.h"

#include "payload/base/freestanding.h"

size_t py_type_offset, py_base_offset;

PyObject *py_type_asked(PyObject *o)
{
	PyObject *type = PyObject_Type(o);

	Py_DecRef(type);
	return type;
}

static PyObject *base_of(PyObject *type)
{
	PyObject *base = world_base(type);

	Py_DecRef(base);
	return base;
}

static int is_at(PyObject *o, size_t at, PyObject *wanted)
{
	return !memcmp((const char *)o + at, &wanted, sizeof(wanted));
}

/* Where all samples have what `ask` says of them, borrowed; 0 when it is no place or several.
 */
static size_t find(PyObject *const *samples, size_t count, size_t end,
		   PyObject *(*ask)(PyObject *))
{
	size_t found = 0;

	for (size_t at = sizeof(PyObject *); at + sizeof(PyObject *) <= end;
	     at += sizeof(PyObject *)) {
		size_t agreeing = 0;
		while (agreeing < count && is_at(samples[agreeing], at, ask(samples[agreeing])))
			agreeing++;
		if (agreeing == count)
			found = found ? end : at; /* a second one: which is it? */
	}
	return found < end ? found : 0;
}

void type_word_find(const struct world *w)
{
	/* What object.__basicsize__ counts is in front of every object. */
	_cleanup_py_ PyObject *size = PyObject_GetAttrString(w->object, "__basicsize__");
	PyObject *const any[] = {w->none,   w->owned,    w->builtins,
				 w->module, w->function, w->set_class};
	PyObject *const types[] = {w->boolean, w->error, w->type};

	py_type_offset = find(any, sizeof(any) / sizeof(*any),
			      size ? (size_t)PyLong_AsLong(size) : 0, py_type_asked);
	py_base_offset = find(types, sizeof(types) / sizeof(*types), TYPE_SIZE, base_of);
	PyErr_Clear();
}
