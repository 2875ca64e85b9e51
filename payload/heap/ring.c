/* SPDX-License-Identifier: MIT
 *
 * The invariant: rings are followed where new objects were seen to be linked like that, and
 * where the thresholds are beside the heads.
 */
#include "payload/heap/ring.h"

#include "payload/python/gil_window.h"

static int has_thresholds(const struct generation *young)
{
	_cleanup_py_ PyObject *gc = py_import("gc");
	_cleanup_py_ PyObject *all = gc ? PyObject_CallMethod(gc, "get_threshold", NULL) : NULL;
	int agreeing = 0;

	for (Py_ssize_t i = 0; all && i < GENERATIONS; i++)
		agreeing += py_number(all, i) == young[i].threshold;
	PyErr_Clear();
	return agreeing == GENERATIONS;
}

/* What is made comes last in the youngest's ring. */
struct generation *rings_find(const struct world *w)
{
	_cleanup_py_ PyObject *first = NULL, *last = NULL;

	if (w->opcodes.minor < 8 || w->opcodes.minor > 13 || gil_window_is_needed())
		return NULL;
	first = PyList_New(0);
	last = PyList_New(0);
	if (!first || !last || link_of(first)->next != link_of(last) ||
	    link_before(link_of(last)) != link_of(first)) {
		PyErr_Clear();
		return NULL;
	}
	struct generation *young = (void *)link_of(last)->next;
	return link_before(&young->head) == link_of(last) && has_thresholds(young) ? young
										   : NULL;
}

void ring_mark(struct ring_mark *out, const struct world *w)
{
	struct generation *young = w->has_audit_hook ? NULL : rings_find(w);

	*out = (struct ring_mark){.young = young, .first = young ? PyList_New(0) : NULL};
	PyErr_Clear();
}

/* What other types make of an object that they find untracked is unknown: an exception ends in
 * a crash. */
static void untrack_from(struct link *at, const struct ring_mark *mark, const struct world *w,
			 PyObject *node)
{
	while (at != link_of(mark->first) && at != &mark->young->head) {
		PyObject *o = object_of(at);
		at = link_before(at);
		if (py_is(o, w->list) || world_is_dict(o) || py_is_a(o, node))
			PyObject_GC_UnTrack(o);
	}
}

void ring_untrack_since(struct ring_mark *mark, const struct world *w, PyObject *tree)
{
	_cleanup_py_ PyObject *above = mark->first && tree ? world_mro(py_type(tree)) : NULL;
	struct link *last = above ? link_before(&mark->young->head) : NULL;

	if (last)
		untrack_from(last, mark, w, PyTuple_GetItem(above, PyTuple_Size(above) - 2));
	Py_DecRef(mark->first);
	*mark = (struct ring_mark){0};
}
