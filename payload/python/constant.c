/* SPDX-License-Identifier: MIT */
#include "payload/python/constant.h"

int constant_is_same(const struct world *w, PyObject *a, PyObject *b)
{
	if (a == b)
		return 1;
	if (py_type(a) != py_type(b))
		return 0;
	if (py_is(a, w->tuple)) {
		if (PyTuple_Size(a) != PyTuple_Size(b))
			return 0;
		for (Py_ssize_t i = 0; i < PyTuple_Size(a); i++)
			if (!constant_is_same(w, PyTuple_GetItem(a, i), PyTuple_GetItem(b, i)))
				return 0;
		return 1;
	}
	if (py_is(a, w->real) || py_is(a, w->complex)) { /* 0.0 == -0.0 */
		_cleanup_py_ PyObject *x = PyObject_Str(a), *y = PyObject_Str(b);
		return x && y && PyUnicode_Compare(x, y) == 0;
	}
	if (!py_is(a, w->integer) && !py_is(a, w->str) && !py_is(a, w->bytes))
		return 0;
	return PyObject_RichCompareBool(a, b, PY_EQ) == 1;
}
