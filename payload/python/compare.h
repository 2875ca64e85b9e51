/* SPDX-License-Identifier: MIT
 *
 * Comparing without running code of the program.
 */
#ifndef PAYLOAD_PYTHON_COMPARE_H
#define PAYLOAD_PYTHON_COMPARE_H

#include "payload/python/world.h"

/* 1 when both are constants of builtin types with the same value. */
int compare_constants(const struct world *world, PyObject *a, PyObject *b);

/* 1 when two dicts hold the same objects under the same keys. */
int compare_contents(PyObject *a, PyObject *b);

/* Two str: are both there, and the same? */
int compare_texts(PyObject *a, PyObject *b);

/* Is it one of the names, which a space stands between? */
int compare_is_name(PyObject *o, const char *names);

/* A value of a builtin type that is written as a literal; a tuple may hold anything. */
int compare_is_constant(const struct world *world, PyObject *o);

#endif
