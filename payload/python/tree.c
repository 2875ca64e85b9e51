/* SPDX-License-Identifier: MIT
 *
 * See tree.h.
 */
#include "payload/python/tree.h"

#include "payload/base/freestanding.h"

int tree_is(PyObject *node, const char *kinds)
{
	_cleanup_py_ PyObject *name = PyObject_GetAttrString(py_type(node), "__name__");
	const char *text = py_text(name);

	PyErr_Clear();
	return text && text_is_word(text, kinds);
}

int tree_any(const struct world *world, PyObject *node,
	     int (*found)(PyObject *node, void *context), void *context)
{
	if (py_is(node, world->list)) {
		PyObject *item;
		for (Py_ssize_t i = 0; (item = py_item(node, i)); i++)
			if (tree_any(world, item, found, context))
				return 1;
		return 0;
	}
	_cleanup_py_ PyObject *fields = py_attribute(py_type(node), "_fields");
	if (!fields)
		return 0;
	if (found(node, context))
		return 1;
	if (tree_is(node, "Lambda"))
		return 0;
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_tuple_item(fields, i)); i++) {
		_cleanup_py_ PyObject *child = PyObject_GetAttr(node, item);
		PyErr_Clear();
		if (child && tree_any(world, child, found, context))
			return 1;
	}
	return 0;
}
