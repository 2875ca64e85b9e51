/* SPDX-License-Identifier: MIT
 *
 * What functions get for defaults where they are made.
 */
#ifndef PAYLOAD_PYTHON_DEFAULTS_H
#define PAYLOAD_PYTHON_DEFAULTS_H

#include "payload/python/world.h"

/* Those of a function with this code, which is somewhere inside of `within`: a tuple of
 * constants, None, or the code itself when they cannot be told. Borrowed; NULL, maybe with an
 * exception, when it is not there. */
PyObject *defaults_of(const struct world *world, PyObject *within, PyObject *code);

#endif
