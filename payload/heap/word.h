/* SPDX-License-Identifier: MIT
 *
 * A reference inside an object that has no setter for it.
 *
 * The proof that a word of memory is it: inside the fixed part of the object there is exactly
 * one word with the address in question, and the collector counts one such reference.
 */
#ifndef PAYLOAD_HEAP_WORD_H
#define PAYLOAD_HEAP_WORD_H

#include "payload/python/world.h"

/* 1 and where in `o` the reference to `old` is; 0 when it cannot be proved; -1 with an
 * exception.
 */
int word_find(const struct world *world, PyObject *o, PyObject *old, size_t *offset_out);

/* That to a function's globals. -1 with an exception also when it cannot be proved. */
int word_find_globals(const struct world *world, PyObject *function, size_t *offset_out);

#endif
