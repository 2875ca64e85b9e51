/* SPDX-License-Identifier: MIT
 *
 * gc.get_objects() makes a list and counts a reference to each object, and all of it is undone
 * afterwards: three times through a heap that fits into no cache. 3.12 can visit the objects.
 * From 3.8 to 3.11 they are in rings, one a generation: in front of each object there are two
 * words, the next and the one before (PyGC_Head of Include/internal/pycore_gc.h), and the heads
 * of the rings are in a row, each followed by the generation's threshold (struct
 * gc_generation).
 *
 * The invariant: the rings are followed where new objects were seen to be linked like that, and
 * where the thresholds are beside the heads.
 */
#include "payload/heap/heap.h"

#include "payload/base/freestanding.h"
#include "payload/python/gil_window.h"

#define GENERATIONS 3

struct link {
	struct link *next;
	uintptr_t before; /* and flags */
};

struct generation {
	struct link head;
	int threshold, count;
};

static struct link *link_of(PyObject *o)
{
	return (struct link *)(void *)o - 1;
}

static struct link *before(const struct link *at)
{
	return (struct link *)(at->before & ~(uintptr_t)7);
}

static int has_thresholds(const struct generation *young)
{
	_cleanup_py_ PyObject *gc = py_import("gc");
	_cleanup_py_ PyObject *all = gc ? PyObject_CallMethod(gc, "get_threshold", NULL) : NULL;
	int agreeing = 0;

	for (Py_ssize_t i = 0; all && i < GENERATIONS; i++)
		agreeing += PyLong_AsLong(PyTuple_GetItem(all, i)) == young[i].threshold;
	PyErr_Clear();
	return agreeing == GENERATIONS;
}

/* The youngest: what is made comes last in its ring. NULL: not known. */
static struct generation *find_generations(const struct world *w)
{
	_cleanup_py_ PyObject *first = NULL, *last = NULL;

	if (w->opcodes.minor < 8 || w->opcodes.minor > 11)
		return NULL;
	first = PyList_New(0);
	last = PyList_New(0);
	if (!first || !last || link_of(first)->next != link_of(last) ||
	    before(link_of(last)) != link_of(first))
		return NULL;
	struct generation *young = (void *)link_of(last)->next;
	return before(&young->head) == link_of(last) && has_thresholds(young) ? young : NULL;
}

/* From both ends at once: the memory of one is fetched while we wait for that of the other.
 * Most of what this takes is that wait. */
static int visit_ring(const struct link *head, int (*visit)(PyObject *, void *), void *context)
{
	struct link *first = head->next, *last = before(head);

	while (first != head) {
		if (!visit((PyObject *)(void *)(first + 1), context))
			return 0;
		if (first == last)
			break;
		if (!visit((PyObject *)(void *)(last + 1), context))
			return 0;
		if (first->next == last)
			break;
		first = first->next;
		last = before(last);
	}
	return 1;
}

static void visit_rings(const struct generation *young, int (*visit)(PyObject *, void *),
			void *context)
{
	for (int i = 0; i < GENERATIONS && visit_ring(&young[i].head, visit, context); i++)
		;
}

/* A free-threaded interpreter visits with the world stopped and locks held that an allocation
 * may want. */
int heap_visit(const struct world *w, int (*visit)(PyObject *, void *), void *context)
{
	if (PyUnstable_GC_VisitObjects && !gil_window_is_needed()) {
		PyUnstable_GC_VisitObjects(visit, context);
		return 0;
	}
	struct generation *young = find_generations(w);
	if (young) {
		visit_rings(young, visit, context);
		return 0;
	}
	PyErr_Clear();
	_cleanup_py_ PyObject *all = py_call(w->get_objects);
	for (Py_ssize_t i = 0; all && i < PyList_Size(all); i++)
		if (!visit(PyList_GetItem(all, i), context))
			break;
	return all ? 0 : -1;
}

struct listing {
	PyObject *all;
	int is_failed;
};

static int list_object(PyObject *o, void *context)
{
	struct listing *listing = context;

	if (o != listing->all && PyList_Append(listing->all, o))
		listing->is_failed = 1;
	return !listing->is_failed;
}

PyObject *heap_list(const struct world *w)
{
	struct listing listing = {.all = PyList_New(0)};

	if (!listing.all || heap_visit(w, list_object, &listing) || listing.is_failed) {
		Py_DecRef(listing.all);
		return NULL;
	}
	return listing.all;
}
