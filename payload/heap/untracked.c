/* SPDX-License-Identifier: MIT
 *
 * What gc.get_objects() and gc.get_referrers() know nothing of is reached from what they list:
 *
 * - what gc.freeze() has put aside;
 * - instances without anything to track (__slots__ = ()), and the tuples and dicts that hold
 *   nothing else (Objects/dictobject.c, MAINTAIN_TRACKING, up to 3.13);
 * - the free-threaded 3.13 makes functions, classes, descriptors and namespaces of modules
 *   immortal that exist when the first thread starts, and takes them from the collector
 *   (Python/gc_free_threading.c, immortalize_visitor). 3.14 keeps them (deferred reference
 *   counts instead), and lists them.
 *
 * Going through all of it takes a microsecond for each object, so it is done where it is
 * needed.
 */
#include "payload/heap/untracked.h"

#include "payload/base/freestanding.h"
#include "payload/base/pointer_map.h"
#include "payload/heap/heap.h"
#include "payload/python/gil_window.h"

/* The interpreter itself has put aside 375 when it has started (seen on 3.12.1); a program that
 * does so puts aside 3700 at least. */
#define FROZEN_BY_ITSELF 2000

struct reach {
	const struct world *world;
	struct pointer_map seen;
	PyObject *hidden; /* list: reached and not listed, in the order of being reached */
};

static int is_leaf(const struct world *w, PyObject *o)
{
	return world_is_str(o) || py_is(o, w->integer) || py_is(o, w->bytes) ||
	       world_is_code(o) || py_is(o, w->real) || o == w->none;
}

static int look_inside(struct reach *r, PyObject *o)
{
	_cleanup_py_ PyObject *inside = py_call(r->world->get_referents, o);
	PyObject *referent;

	for (Py_ssize_t i = 0; (referent = py_item(inside, i)); i++) {
		int is_new =
			is_leaf(r->world, referent) ? 0 : pointer_map_add(&r->seen, referent);
		if (is_new < 0 || (is_new && PyList_Append(r->hidden, referent)))
			return -1;
	}
	return inside ? 0 : -1;
}

static int reach_hidden(struct reach *r)
{
	_cleanup_py_ PyObject *listed = heap_list(r->world);
	int status = listed ? pointer_map_set(&r->seen, r->hidden, r->hidden) : -1;
	PyObject *o;

	for (Py_ssize_t i = 0; !status && (o = py_item(listed, i)); i++) {
		status = pointer_map_set(&r->seen, o, o);
	}
	PyObject *item;
	for (Py_ssize_t i = 0; !status && (item = py_item(listed, i)); i++)
		status = look_inside(r, item);
	if (!status)
		status = look_inside(r, r->world->modules);
	for (Py_ssize_t i = 0; !status && (item = py_item(r->hidden, i)); i++)
		status = look_inside(r, item);
	return status;
}

int untracked_is_frozen(const struct world *w)
{
	PyObject *gc = PyDict_GetItemString(w->modules, "gc");
	_cleanup_py_ PyObject *count =
		gc ? PyObject_CallMethod(gc, "get_freeze_count", NULL) : NULL;
	long frozen = count ? PyLong_AsLong(count) : 0; /* 3.6 has none */

	PyErr_Clear();
	return frozen > FROZEN_BY_ITSELF;
}

static int refers_to_any(const struct world *w, PyObject *o, const struct pointer_map *keys)
{
	_cleanup_py_ PyObject *inside = py_call(w->get_referents, o);

	if (pointer_map_get(keys, py_type(o))) /* what is not tracked tells nothing */
		return 1;
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(inside, i)); i++)
		if (pointer_map_get(keys, item))
			return 1;
	return inside ? 0 : -1;
}

PyObject *untracked_find(const struct world *w, int is_asked)
{
	struct reach reach = {.world = w, .hidden = PyList_New(0)};
	int status = 0;

	if (is_asked || (w->opcodes.minor == 13 && gil_window_is_needed()))
		status = reach.hidden ? reach_hidden(&reach) : -1;
	pointer_map_fini(&reach.seen);
	if (status)
		Py_DecRef(py_take(&reach.hidden));
	return reach.hidden;
}

int untracked_referrers(const struct world *w, PyObject *hidden, PyObject *keys,
			PyObject *found)
{
	struct pointer_map wanted = {0};
	int status = 0;
	PyObject *item;

	for (Py_ssize_t i = 0; !status && (item = py_item(keys, i)); i++)
		status = pointer_map_set(&wanted, item, item);
	PyObject *o;
	for (Py_ssize_t i = 0; !status && (o = py_item(hidden, i)); i++) {
		int refers = refers_to_any(w, o, &wanted);
		status = refers < 0 || (refers && PyList_Append(found, o)) ? -1 : 0;
	}
	pointer_map_fini(&wanted);
	return status;
}
