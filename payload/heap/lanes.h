/* SPDX-License-Identifier: MIT
 *
 * The functions, from many places of the heap at once.
 */
#ifndef PAYLOAD_HEAP_LANES_H
#define PAYLOAD_HEAP_LANES_H

#include "payload/heap/heap.h"

struct lanes_search {
	PyObject *modules; /* dict, which is the caller's: they stay where they are */
	int (*visit)(PyObject *o, void *context);
	void *context;
	int may_let_run; /* give the GIL up meanwhile */
};

/* Calls search->visit with each function that is there all the while; with some more
 * than once, and with others. It must do what heap_visit() says, and go on, at most with
 * an exception. -1 with one. */
int lanes_visit(struct world *world, const struct lanes_search *search);

#endif
