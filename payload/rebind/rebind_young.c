/* SPDX-License-Identifier: MIT
 *
 * Who refers to what this attach has made, without the heap. The collector is off while an
 * attach is at work, so what new code made, and what it put it into if that is new as well, is
 * among the objects that the collector has not looked at yet. When these, and what the plan
 * itself holds, account for every reference, nobody else has any: the cost of an attach that
 * runs code does not grow with the heap.
 *
 * The invariant: whatever is not seen here (an older registry, a frame, an object in C) makes
 * the count larger than what was found, and then the heap is searched.
 */
#include "payload/base/freestanding.h"
#include "payload/heap/referrers.h"
#include "payload/job/walk.h"
#include "payload/python/gil_window.h"
#include "payload/rebind/rebind.h"

/* To list more of them would cost as much as to search the heap. */
#define YOUNG_MAX 50000

struct account {
	struct pointer_map keys;
	PyObject *young, *found; /* lists: found are those that refer to keys */
	long known;
};

/* --- the young ones ---------------------------------------------------------------------- */

static PyObject *generation(const struct world *w, long number)
{
	_cleanup_py_ PyObject *which = PyLong_FromLong(number);

	return which ? py_call(w->get_objects, which) : NULL;
}

/* NULL, maybe with an exception, when they are not to be had. A hook hears of it
 * (gc.get_objects is audited); the free-threaded collector has no generations. Other threads
 * had the collector on for a moment since: what it has looked at once is in the next
 * generation. */
static PyObject *young_objects(const struct world *w)
{
	if (w->has_audit_hook || gil_window_is_needed() || w->opcodes.minor < 10)
		return NULL;
	_cleanup_py_ PyObject *gc = py_import("gc");
	_cleanup_py_ PyObject *count = gc ? PyObject_CallMethod(gc, "get_count", NULL) : NULL;
	if (!count || py_number(count, 0) > YOUNG_MAX)
		return NULL;
	_cleanup_py_ PyObject *all = generation(w, 0);
	_cleanup_py_ PyObject *more = all ? generation(w, 1) : NULL;
	if (!more || PyList_SetSlice(all, PyList_Size(all), PyList_Size(all), more))
		return NULL;
	return py_take(&all);
}

/* --- what is ours ------------------------------------------------------------------------ */

/* Memory of ours in which each word that is an object is a counted reference, or none of keys.
 */
static void count_in(struct account *a, const void *memory, size_t size)
{
	for (size_t at = 0; at + sizeof(PyObject *) <= size; at += sizeof(PyObject *)) {
		PyObject *o;
		memcpy(&o, (const char *)memory + at, sizeof(o));
		a->known += o && pointer_map_get(&a->keys, o);
	}
}

static void count_map(struct account *a, const struct pointer_map *map)
{
	count_in(a, map->slots, map->capacity * sizeof(*map->slots));
}

static void count_ours(struct account *a, const struct rebind *r)
{
	const struct plan *p = r->plan;
	const struct pointer_map *const maps[] = {&a->keys,
						  &r->ignore,
						  &r->written,
						  &p->stand_in,
						  &p->adopted,
						  &p->migration->old_classes,
						  &p->migration->must_move};

	for (size_t i = 0; i < sizeof(maps) / sizeof(*maps); i++)
		count_map(a, maps[i]);
	count_in(a, p->writes.items, p->writes.count * sizeof(*p->writes.items));
	count_in(a, p->classes, p->class_count * sizeof(*p->classes));
	count_in(a, p->job->modules.items,
		 p->job->modules.count * sizeof(*p->job->modules.items));
	count_in(a, p->shadow, sizeof(*p->shadow));
}

/* --- older holders that a module's names lead to ----------------------------------------- */

static int count_older(struct account *a, struct pointer_map *seen, PyObject *o)
{
	int is_new = pointer_map_add(seen, o);

	if (is_new <= 0)
		return is_new;
	a->known++;
	return PyList_Append(a->found, o);
}

/* Each function counts once among the references to its globals, as does the module. */
static int count_module(struct account *a, const struct rebind *r, struct pointer_map *seen,
			const struct module *m)
{
	_cleanup_py_ PyObject *functions = PyList_New(0);

	if (!pointer_map_get(&a->keys, m->live))
		return 0;
	if (!functions || walk_functions(r->world, m->live, m->live, m->name, functions) ||
	    (m->object && PyModule_GetDict(m->object) == m->live &&
	     count_older(a, seen, m->object)))
		return -1;
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(functions, i)); i++)
		if (count_older(a, seen, item))
			return -1;
	return 0;
}

/* The record of earlier attaches, and other containers of our own, that are not young. */
static int count_kept(struct account *a, const struct rebind *r, struct pointer_map *seen)
{
	_cleanup_py_ PyObject *kept = PyList_New(0);
	const struct pointer_entry *entry;
	size_t at = 0;

	while ((entry = pointer_map_next(&r->ignore, &at))) {
		int is_new = pointer_map_add(seen, entry->key);
		if (is_new < 0 || (is_new && py_append(kept, entry->key)))
			return -1;
	}
	const long found = kept ? referrers_among(kept, &a->keys, a->found) : -1;
	a->known += found;
	return found < 0 ? -1 : 0;
}

/* What the plan itself sets refers to what was there: the name of an lru_cache that another has
 * replaced. */
static int count_written(struct account *a, const struct rebind *r, struct pointer_map *seen)
{
	const struct pointer_entry *entry;
	size_t at = 0;

	while ((entry = pointer_map_next(&r->written, &at))) {
		_cleanup_py_ PyObject *names = PySequence_List(entry->value);
		PyObject *name;
		if (!names)
			return -1;
		if (pointer_map_get(seen, entry->key))
			continue;
		for (Py_ssize_t i = 0; (name = py_item(names, i)); i++) {
			PyObject *value = PyDict_GetItem(entry->key, name);
			a->known += value && pointer_map_get(&a->keys, value);
		}
	}
	return 0;
}

static int count_modules(struct account *a, const struct rebind *r)
{
	struct pointer_map seen = {0};
	int status = 0;
	PyObject *o;

	for (Py_ssize_t i = 0; !status && (o = py_item(a->young, i)); i++) {
		a->known += pointer_map_get(&a->keys, o) != NULL; /* by the list itself */
		status = pointer_map_set(&seen, o, o);
	}
	for (size_t i = 0; !status && i < r->plan->job->modules.count; i++)
		status = count_module(a, r, &seen, &r->plan->job->modules.items[i]);
	if (!status)
		status = count_kept(a, r, &seen) || count_written(a, r, &seen) ? -1 : 0;
	pointer_map_fini(&seen);
	return status;
}

/* --- */

/* How many references there are to the keys; -1 with an exception. */
static long total_of(const struct world *w, PyObject *keys)
{
	_cleanup_py_ PyObject *probe = PyList_New(0); /* what asking adds differs by version */
	long least = probe ? world_references(w, probe) : -1, total = 0;
	PyObject *item;

	for (Py_ssize_t i = 0; (item = py_item(keys, i)); i++) {
		long count = world_references(w, item);
		if (count < 0 || least < 0)
			return -1;
		total += count - least + 1;
	}
	return total;
}

static int fill(struct account *a, const struct rebind *r, PyObject *keys)
{
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(keys, i)); i++)
		if (pointer_map_set(&a->keys, item, item))
			return -1;
	a->found = PyList_New(0);
	a->young = a->found ? young_objects(r->world) : NULL;
	return a->young ? 0 : -1;
}

PyObject *rebind_young_referrers(struct rebind *r, PyObject *keys)
{
	struct account a = {0};
	PyObject *found = NULL;

	if (!fill(&a, r, keys) && !count_modules(&a, r)) {
		const long total = total_of(r->world, keys); /* before found is among them */
		const long young = referrers_among(a.young, &a.keys, a.found);
		count_ours(&a, r);
		if (total >= 0 && young >= 0 && a.known + young == total)
			found = py_ref(a.found);
	}
	PyErr_Clear();
	pointer_map_fini(&a.keys);
	Py_DecRef(a.young);
	Py_DecRef(a.found);
	return found;
}
