/* SPDX-License-Identifier: MIT
 *
 * gc.get_objects() makes a list and counts a reference to each object, and all of it is undone
 * afterwards: three times through a heap that fits into no cache. 3.12 can visit the objects,
 * and before that the rings can be followed.
 */
#include "payload/heap/heap.h"

#include "payload/base/freestanding.h"
#include "payload/heap/ring.h"
#include "payload/python/gil_window.h"

/* From both ends at once: the memory of one is fetched while we wait for that of the other.
 * Most of what this takes is that wait. */
static int visit_ring(const struct link *head, int (*visit)(PyObject *, void *), void *context)
{
	struct link *first = head->next, *last = link_before(head);

	while (first != head) {
		if (!visit(object_of(first), context))
			return 0;
		if (first == last)
			break;
		if (!visit(object_of(last), context))
			return 0;
		if (first->next == last)
			break;
		first = first->next;
		last = link_before(last);
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
	struct generation *young = rings_find(w);
	if (young) {
		visit_rings(young, visit, context);
		return 0;
	}
	PyErr_Clear();
	_cleanup_py_ PyObject *all = py_call(w->get_objects);
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(all, i)); i++)
		if (!visit(item, context))
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
