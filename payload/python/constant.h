/* SPDX-License-Identifier: MIT
 *
 * Constants, as source text can spell them, compared without running code of the program.
 */
#ifndef PAYLOAD_PYTHON_CONSTANT_H
#define PAYLOAD_PYTHON_CONSTANT_H

#include "payload/python/world.h"

/* 1 when both are constants of builtin types with the same value. */
int constant_is_same(const struct world *world, PyObject *a, PyObject *b);

#endif
