/* SPDX-License-Identifier: MIT
 *
 * The rings in which the collector keeps its objects, one a generation: in front of each object
 * there are two words, the next and the one before (PyGC_Head of
 * Include/internal/pycore_gc.h), and the heads of the rings are in a row, each followed by the
 * generation's threshold (struct gc_generation).
 */
#ifndef PAYLOAD_HEAP_RING_H
#define PAYLOAD_HEAP_RING_H

#include "payload/python/world.h"

#define GENERATIONS 3

struct link {
	struct link *next;
	uintptr_t before; /* and flags */
};

struct generation {
	struct link head;
	int threshold, count;
};

static inline struct link *link_of(PyObject *o)
{
	return (struct link *)(void *)o - 1;
}

static inline PyObject *object_of(struct link *at)
{
	return (PyObject *)(void *)(at + 1);
}

static inline struct link *link_before(const struct link *at)
{
	return (struct link *)(at->before & ~(uintptr_t)7);
}

/* The youngest of the generations. NULL, without exception: not known. */
struct generation *rings_find(const struct world *world);

struct ring_mark {
	struct generation *young;
	PyObject *first; /* owned; NULL: it is not known where new objects are */
};

/* The nodes of a syntax tree, or NULL, that is made between these two are none of the
 * collector's business: they go when nobody holds the tree. The GIL is not to be given up in
 * between, nor may code of the program run (when there is an audit hook they do nothing).
 * ring_untrack_since() is due, and keeps a pending exception. */
void ring_mark(struct ring_mark *out, const struct world *world);
void ring_untrack_since(struct ring_mark *mark, const struct world *world, PyObject *tree);

#endif
