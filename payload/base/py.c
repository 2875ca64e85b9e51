/* SPDX-License-Identifier: MIT
 *
 * Calls of the C API that are made in so many places that each argument less counts.
 */
#include "payload/base/py.h"

#include "payload/base/freestanding.h"

#define SHORT __attribute__((noinline))

SHORT PyObject *py_ref(PyObject *o)
{
	Py_IncRef(o);
	return o;
}

SHORT PyObject *py_first(PyObject *tuple)
{
	return PyTuple_GetItem(tuple, 0);
}

SHORT PyObject *py_second(PyObject *tuple)
{
	return PyTuple_GetItem(tuple, 1);
}

SHORT PyObject *py_head(PyObject *list)
{
	return PyList_GetItem(list, 0);
}

SHORT PyObject *py_get(PyObject *dict, PyObject *key)
{
	return dict && key ? PyDict_GetItem(dict, key) : NULL;
}

SHORT PyObject *py_item(PyObject *list, Py_ssize_t at)
{
	return list && at < PyList_Size(list) ? PyList_GetItem(list, at) : NULL;
}

SHORT PyObject *py_tuple_item(PyObject *tuple, Py_ssize_t at)
{
	return tuple && at < PyTuple_Size(tuple) ? PyTuple_GetItem(tuple, at) : NULL;
}

SHORT const char *py_text(PyObject *text)
{
	const char *utf8 = text ? PyUnicode_AsUTF8(text) : NULL;

	if (!utf8)
		PyErr_Clear();
	return utf8;
}

const char *py_bytes(PyObject *bytes)
{
	char *data;

	if (bytes && !PyBytes_AsStringAndSize(bytes, &data, NULL))
		return data;
	PyErr_Clear();
	return NULL;
}

int py_execute(const char *source, PyObject *globals)
{
	_cleanup_py_ PyObject *code = Py_CompileString(source, "<pyhotpatch>", PY_FILE_INPUT);
	_cleanup_py_ PyObject *result = code ? PyEval_EvalCode(code, globals, globals) : NULL;

	return result ? 0 : -1;
}

SHORT long py_number(PyObject *tuple, Py_ssize_t at)
{
	return PyLong_AsLong(PyTuple_GetItem(tuple, at));
}

SHORT PyObject *py_pair(PyObject *a, PyObject *b)
{
	return a && b ? PyTuple_Pack(2, a, b) : NULL;
}

SHORT int py_append(PyObject *list, PyObject *item)
{
	return list && item ? PyList_Append(list, item) : -1;
}

SHORT int py_put(PyObject *dict, PyObject *key, PyObject *value)
{
	return dict && key && value ? PyDict_SetItem(dict, key, value) : -1;
}

SHORT Py_ssize_t py_count(PyObject *list)
{
	return list ? PyList_Size(list) : 0;
}

void py_set_aside(struct py_pending *out)
{
	PyErr_Fetch(&out->kind, &out->value, &out->traceback);
}

void py_bring_back(struct py_pending *pending)
{
	PyErr_Restore(pending->kind, pending->value, pending->traceback);
}

void *py_room(size_t size)
{
	void *room = PyMem_Malloc(size);

	return room ? memset(room, 0, size) : PyErr_NoMemory();
}

void py_drop_all(PyObject **first, const void *end)
{
	for (; (const void *)first < end; first++)
		Py_DecRef(py_take(first));
}

void *py_add(void *array, size_t size)
{
	struct py_array a;

	memcpy(&a, array, sizeof(a));
	if (a.count == a.capacity) {
		a.capacity = a.capacity * 2 + 16;
		a.items = PyMem_Realloc(a.items, a.capacity * size);
		if (!a.items)
			return PyErr_NoMemory();
	}
	void *item = a.items + a.count++ * size;
	memset(item, 0, size);
	memcpy(array, &a, sizeof(a));
	return item;
}

SHORT int py_equal(PyObject *a, PyObject *b)
{
	return PyObject_RichCompareBool(a, b, PY_EQ) == 1;
}

SHORT PyObject *py_attribute(PyObject *o, const char *name)
{
	if (!o)
		return NULL;
	PyObject *value = PyObject_GetAttrString(o, name);

	PyErr_Clear();
	return value;
}
