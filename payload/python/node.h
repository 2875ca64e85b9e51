/* SPDX-License-Identifier: MIT
 *
 * What the nodes of statements say. They are made by compile() and belong to the payload alone.
 */
#ifndef PAYLOAD_PYTHON_NODE_H
#define PAYLOAD_PYTHON_NODE_H

#include "payload/base/py.h"

/* A field, or NULL without exception. New reference. No node has none, and what is pending then
 * stays so. */
static inline PyObject *node_field(PyObject *node, const char *name)
{
	return py_attribute(node, name);
}

/* Those that are asked for in many places. */
PyObject *node_args(PyObject *node);
PyObject *node_body(PyObject *node);
PyObject *node_decorators(PyObject *node);
PyObject *node_id(PyObject *node);
PyObject *node_name(PyObject *node);
PyObject *node_value(PyObject *node);

/* An integer field; `otherwise` when there is none. */
int node_number(PyObject *node, const char *name, int otherwise);

/* The first line of a statement, its decorators included. */
int node_first_line(PyObject *node);

/* The line of `def` or `class` itself, or of something behind it; INT_MAX when there is nothing
 * (3.7 does not say). */
int node_header_line(PyObject *node, int minor);

/* The absolute name of the module that a from-import names, in a module with the names `live`.
 * New reference; None or NULL without exception when it names none. */
PyObject *node_imported_module(PyObject *node, PyObject *live);

/* Is a field one of the names, which a space stands between? */
int node_field_is(PyObject *node, const char *field, const char *names);

/* The name that an alias of an import binds; of one with dots all of it. New reference. */
PyObject *node_bound_name(PyObject *alias);

/* A literal that is one node; up to 3.7 of several kinds. */
int node_is_constant(PyObject *node);

/* A part of an expression that makes no object anew which may have state: a constant, operator,
 * tuple, attribute. */
int node_is_plain(PyObject *node);

/* A text, or another literal, that stands alone. */
int node_is_docstring(PyObject *node);

int node_is_definition(PyObject *node);
int node_is_function(PyObject *node);

/* No decorator, or one of @property, @staticmethod, @classmethod and @x.setter, told by their
 * names. */
int node_is_plainly_decorated(PyObject *node);

/* Made by @overload, for type checkers: the definition behind it is what runs. */
int node_is_overload(PyObject *node);

#endif
