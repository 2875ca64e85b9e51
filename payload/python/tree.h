/* SPDX-License-Identifier: MIT
 *
 * Looking through a syntax tree (the objects of Python's _ast).
 */
#ifndef PAYLOAD_PYTHON_TREE_H
#define PAYLOAD_PYTHON_TREE_H

#include "payload/python/world.h"

/* Is the node of one of the kinds ("If With Try")? */
int tree_is(PyObject *node, const char *kinds);

/* 1 when `found` says so of the node or of any below it, lists of nodes included. The bodies of
 * lambdas are left out. */
int tree_any(const struct world *world, PyObject *node,
	     int (*found)(PyObject *node, void *context), void *context);

#endif
