/* SPDX-License-Identifier: MIT
 *
 * The objects of one type, from many places of the heap at once.
 */
#ifndef PAYLOAD_HEAP_LANES_H
#define PAYLOAD_HEAP_LANES_H

#include "payload/heap/heap.h"

/* heap_visit() for the objects of this very type, which is not the one of modules. */
int lanes_visit(const struct world *world, PyObject *type,
		int (*visit)(PyObject *o, void *context), void *context);

#endif
