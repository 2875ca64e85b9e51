/* SPDX-License-Identifier: MIT */
#include "payload/python/compare.h"

#include "payload/base/freestanding.h"

int compare_constants(const struct world *w, PyObject *a, PyObject *b)
{
	if (a == b)
		return 1;
	if (py_type(a) != py_type(b))
		return 0;
	if (world_is_tuple(a)) {
		if (PyTuple_Size(a) != PyTuple_Size(b))
			return 0;
		PyObject *item;
		for (Py_ssize_t i = 0; (item = py_tuple_item(a, i)); i++)
			if (!compare_constants(w, item, PyTuple_GetItem(b, i)))
				return 0;
		return 1;
	}
	if (py_is(a, w->real) || py_is(a, w->complex)) { /* 0.0 == -0.0 */
		_cleanup_py_ PyObject *x = PyObject_Str(a), *y = PyObject_Str(b);
		return compare_texts(x, y);
	}
	if (!py_is(a, w->integer) && !world_is_str(a) && !py_is(a, w->bytes))
		return 0;
	return py_equal(a, b);
}

int compare_contents(PyObject *a, PyObject *b)
{
	PyObject *key, *value;
	Py_ssize_t at = 0;

	if (PyDict_Size(a) != PyDict_Size(b))
		return 0;
	while (PyDict_Next(a, &at, &key, &value))
		if (PyDict_GetItem(b, key) != value)
			return 0;
	return 1;
}

int compare_texts(PyObject *a, PyObject *b)
{
	return a && b && !PyUnicode_Compare(a, b);
}

int compare_is_name(PyObject *o, const char *names)
{
	const char *text = py_text(o);

	return text && text_is_word(text, names);
}

int compare_is_constant(const struct world *w, PyObject *o)
{
	return o == w->none || py_is(o, w->integer) || world_is_str(o) || py_is(o, w->real) ||
	       py_is(o, w->boolean) || world_is_tuple(o) || py_is(o, w->bytes);
}
