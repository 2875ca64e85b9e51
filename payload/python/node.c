/* SPDX-License-Identifier: MIT
 *
 * Reading nodes of syntax trees.
 */
#include "payload/python/node.h"

#include <limits.h>

#include "payload/base/freestanding.h"
#include "payload/python/compare.h"
#include "payload/python/tree.h"

/* Each call is shorter by the name. */
__attribute__((noinline)) PyObject *node_body(PyObject *node)
{
	return node_field(node, "body");
}

__attribute__((noinline)) PyObject *node_decorators(PyObject *node)
{
	return node_field(node, "decorator_list");
}

__attribute__((noinline)) PyObject *node_args(PyObject *node)
{
	return node_field(node, "args");
}

__attribute__((noinline)) PyObject *node_id(PyObject *node)
{
	return node_field(node, "id");
}

__attribute__((noinline)) PyObject *node_name(PyObject *node)
{
	return node_field(node, "name");
}

__attribute__((noinline)) PyObject *node_value(PyObject *node)
{
	return node_field(node, "value");
}

PyObject *node_bound_name(PyObject *alias)
{
	_cleanup_py_ PyObject *name = node_name(alias);
	PyObject *as = node_field(alias, "asname");

	if (!as || py_type(as) == py_type(name))
		return as;
	Py_DecRef(as);
	return py_take(&name);
}

int node_field_is(PyObject *node, const char *field, const char *names)
{
	_cleanup_py_ PyObject *text = node_field(node, field);

	return text && compare_is_name(text, names);
}

int node_number(PyObject *node, const char *name, int otherwise)
{
	_cleanup_py_ PyObject *value = node_field(node, name);
	long number = value ? PyLong_AsLong(value) : otherwise;

	if (PyErr_Occurred()) { /* end_lineno may be None */
		PyErr_Clear();
		return otherwise;
	}
	return (int)number;
}

static int least(int a, int b)
{
	return a < b ? a : b;
}

int node_first_line(PyObject *node)
{
	_cleanup_py_ PyObject *decorators = node_decorators(node);
	PyObject *first = py_item(decorators, 0);
	int line = node_number(node, "lineno", 0);

	return first ? least(line, node_number(first, "lineno", line)) : line;
}

static int list_line(PyObject *parent, const char *field, const char *inner)
{
	_cleanup_py_ PyObject *list = node_field(parent, field);
	int line = INT_MAX;
	PyObject *item;

	for (Py_ssize_t i = 0; (item = py_item(list, i)); i++) {
		_cleanup_py_ PyObject *node = inner ? node_field(item, inner) : py_ref(item);
		if (node)
			line = least(line, node_number(node, "lineno", INT_MAX));
	}
	PyErr_Clear();
	return line;
}

int node_header_line(PyObject *node, int minor)
{
	_cleanup_py_ PyObject *args = node_args(node);
	_cleanup_py_ PyObject *returns = node_field(node, "returns");
	int line = INT_MAX;

	if (minor >= 8) /* bpo-33211 */
		return node_number(node, "lineno", INT_MAX);
	if (returns)
		line = node_number(returns, "lineno", INT_MAX);
	if (!args)
		return line;
	line = least(line, list_line(args, "defaults", NULL));
	line = least(line, list_line(args, "kw_defaults", NULL));
	line = least(line, list_line(args, "args", "annotation"));
	return least(line, list_line(args, "kwonlyargs", "annotation"));
}

int node_is_function(PyObject *node)
{
	return tree_is(node, "FunctionDef AsyncFunctionDef");
}

int node_is_constant(PyObject *node)
{
	return tree_is(node, "Constant Num Str NameConstant");
}

int node_is_plain(PyObject *node)
{
	return node_is_constant(node) ||
	       tree_is(node,
		       "Bytes Load Tuple UnaryOp USub Not BinOp Add Sub Mult Div FloorDiv Mod BitOr JoinedStr FormattedValue Attribute");
}

int node_is_docstring(PyObject *node)
{
	_cleanup_py_ PyObject *value = tree_is(node, "Expr") ? node_value(node) : NULL;

	return value && tree_is(value, "Str Constant");
}

int node_is_definition(PyObject *node)
{
	return tree_is(node, "FunctionDef AsyncFunctionDef ClassDef");
}

int node_is_plainly_decorated(PyObject *node)
{
	_cleanup_py_ PyObject *decorators = node_decorators(node);
	Py_ssize_t count = py_count(decorators);
	PyObject *first = count == 1 ? py_head(decorators) : NULL;

	if (!first)
		return !count;
	return node_field_is(first, "id", "property staticmethod classmethod") ||
	       node_field_is(first, "attr", "setter getter deleter");
}

int node_is_overload(PyObject *node)
{
	_cleanup_py_ PyObject *decorators = node_decorators(node);
	PyObject *first = py_item(decorators, 0);

	return node_field_is(first, "id", "overload") ||
	       node_field_is(first, "attr", "overload");
}

PyObject *node_imported_module(PyObject *node, PyObject *live)
{
	_cleanup_py_ PyObject *module = node_field(node, "module");
	PyObject *package = PyDict_GetItemString(live, "__package__");
	int level = node_number(node, "level", 0);
	const char *text = py_text(package);

	PyErr_Clear();
	if (level <= 0)
		return py_take(&module);
	size_t length = text ? strlen(text) : 0;
	for (; level > 1 && length; level--) {
		while (length && text[length - 1] != '.')
			length--;
		length -= length > 0;
	}
	_cleanup_py_ PyObject *base =
		length ? PyUnicode_FromStringAndSize(text, (Py_ssize_t)length) : NULL;
	const char *tail = py_text(module);
	PyErr_Clear();
	if (!base)
		return NULL;
	return tail ? PyUnicode_FromFormat("%U.%s", base, tail) : py_take(&base);
}
