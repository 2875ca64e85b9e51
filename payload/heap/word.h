/* SPDX-License-Identifier: MIT
 *
 * A reference inside an object that has no setter for it.
 *
 * The proof that a word of memory is it: inside the fixed part of the object there are exactly
 * as many words with the address in question as the collector counts references to it.
 */
#ifndef PAYLOAD_HEAP_WORD_H
#define PAYLOAD_HEAP_WORD_H

#include "payload/python/world.h"

/* How many references to `o` the collector counts in `holder`; -1 with an exception. */
long word_references(const struct world *world, PyObject *holder, PyObject *o);

/* How many references to `old` are in `o`, and where the first is that is not before `*offset`;
 * 0 when there is none or it cannot be proved; -1 with an exception. */
int word_find(const struct world *world, PyObject *o, PyObject *old, size_t *offset);

/* That to a function's globals. -1 with an exception also when it cannot be proved. */
int word_find_globals(const struct world *world, PyObject *function, size_t *offset_out);

#endif
