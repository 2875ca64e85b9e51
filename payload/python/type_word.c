/* SPDX-License-Identifier: MIT
 *
 * A pass over the heap asks each object for its type, and most of what the payload decides goes
 * by types. PyObject_Type() is a call that counts references; the word itself is one load.
 *
 * The invariant: the word is used where it was seen to be the type in objects of six types, and
 * in nothing else that all objects begin with.
 */
#include "payload/python/type_word.h"

#include "payload/base/freestanding.h"

size_t py_type_offset;

PyObject *py_type_asked(PyObject *o)
{
	PyObject *type = PyObject_Type(o);

	Py_DecRef(type);
	return type;
}

static int is_type_at(PyObject *o, size_t at)
{
	PyObject *found;

	memcpy(&found, (const char *)o + at, sizeof(found));
	return found == py_type_asked(o);
}

void type_word_find(const struct world *w)
{
	/* What object.__basicsize__ counts is in front of every object. */
	_cleanup_py_ PyObject *size = PyObject_GetAttrString(w->object, "__basicsize__");
	size_t end = size ? (size_t)PyLong_AsLong(size) : 0, found = 0;
	PyObject *const samples[] = {w->none,   w->owned,    w->builtins,
				     w->module, w->function, w->set_class};
	const size_t count = sizeof(samples) / sizeof(*samples);

	for (size_t at = sizeof(PyObject *); at + sizeof(PyObject *) <= end;
	     at += sizeof(PyObject *)) {
		size_t agreeing = 0;
		while (agreeing < count && is_type_at(samples[agreeing], at))
			agreeing++;
		if (agreeing == count)
			found = found ? end : at; /* a second one: which is it? */
	}
	py_type_offset = found < end ? found : 0;
	PyErr_Clear();
}
