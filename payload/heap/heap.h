/* SPDX-License-Identifier: MIT
 *
 * The objects that the collector knows.
 */
#ifndef PAYLOAD_HEAP_HEAP_H
#define PAYLOAD_HEAP_HEAP_H

#include "payload/python/world.h"

/* Calls `visit` with each of them until it returns 0. It must make no object that the collector
 * looks after. -1 with an exception. */
int heap_visit(const struct world *world, int (*visit)(PyObject *o, void *context),
	       void *context);

/* All that heap_visit() visits, as a new list; NULL with an exception. */
PyObject *heap_list(const struct world *world);

#endif
