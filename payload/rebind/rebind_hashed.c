/* SPDX-License-Identifier: MIT
 *
 * References in containers that hash: dicts whose keys are replaced or run code when they hash,
 * OrderedDicts, sets, frozensets. The content is made anew here, because the commit must not
 * hash or compare anything of the program.
 *
 * A tuple has its items replaced in place, but its hash was taken from the old ones: where it
 * is a key, an equal tuple takes its place. A frozenset cannot be changed: another takes its
 * place wherever it is. So who holds such a tuple or frozenset is searched for in turn.
 */
#include "payload/rebind/rebind_hashed.h"

#include "payload/base/freestanding.h"
#include "payload/heap/twin_dict.h"

#define DEPTH_MAX 20

/* --- what is equal to it afterwards ------------------------------------------------------ */

static int is_hashed_anew(const struct plan *p, PyObject *o, int depth)
{
	if (plan_stand_in(p, o) != o)
		return 1;
	if (depth > DEPTH_MAX || !py_is_a(o, p->job->world.tuple))
		return 0;
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_tuple_item(o, i)); i++)
		if (is_hashed_anew(p, item, depth + 1))
			return 1;
	return 0;
}

int rebind_is_key_tuple(const struct plan *p, PyObject *o)
{
	const struct world *w = &p->job->world;

	if (!py_is_a(o, w->tuple) || !is_hashed_anew(p, o, 0))
		return 0;
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_tuple_item(o, i)); i++) {
		if (py_is(item, w->list) || world_is_dict(item) || py_is(item, w->set))
			return 0; /* no hash at all */
	}
	return 1;
}

/* A tuple of the class of `old`, which may be a named one, past its __new__. */
static PyObject *tuple_like(const struct world *w, PyObject *old, PyObject *list)
{
	_cleanup_py_ PyObject *items = PyList_AsTuple(list);

	if (!items || world_is_tuple(old))
		return py_take(&items);
	_cleanup_py_ PyObject *attributes = world_own_dict(w, old);
	_cleanup_py_ PyObject *make = PyObject_GetAttrString(w->tuple, "__new__");
	if (attributes)
		return py_ref(old);
	return make ? py_call(make, py_type(old), items) : NULL;
}

/* New reference; NULL with an exception. */
static PyObject *hashed_as(const struct plan *p, PyObject *o)
{
	if (plan_stand_in(p, o) != o || !is_hashed_anew(p, o, 0))
		return py_ref(plan_stand_in(p, o));
	_cleanup_py_ PyObject *list = PyList_New(0);
	for (Py_ssize_t i = 0; list && i < PyTuple_Size(o); i++) {
		_cleanup_py_ PyObject *item = hashed_as(p, PyTuple_GetItem(o, i));
		if (py_append(list, item))
			return NULL;
	}
	return list ? tuple_like(&p->job->world, o, list) : NULL;
}

/* --- dicts ------------------------------------------------------------------------------- */

/* Neither hashing nor comparing such a key runs code of the program. */
static int is_plain_key(const struct world *w, PyObject *key)
{
	return world_is_str(key) || py_is(key, w->integer) || py_is(key, w->bytes) ||
	       py_is(key, w->boolean) || py_is(key, w->type) || key == w->none;
}

/* An lru_cache takes an entry out by the hash that it had: such an entry is not found any more,
 * and computed again (Modules/_functoolsmodule.c, bounded_lru_cache_wrapper). */
static int is_of_lru_cache(PyObject *value)
{
	_cleanup_py_ PyObject *name = world_name(py_type(value));

	PyErr_Clear();
	return name && !PyUnicode_CompareWithASCIIString(name, "_lru_list_elem");
}

int rebind_judge_dict(const struct plan *p, PyObject *dict)
{
	PyObject *key, *value;
	Py_ssize_t at = 0;
	int needs = -1;

	while (PyDict_Next(dict, &at, &key, &value)) {
		if (is_hashed_anew(p, key, 0))
			return is_of_lru_cache(value) ? -1 : 1;
		if (plan_stand_in(p, value) == value)
			continue;
		if (!is_plain_key(&p->job->world, key))
			return 1;
		needs = 0;
	}
	return needs;
}

/* The keys that stay, as a new dict. */
static PyObject *staying_keys(const struct plan *p, PyObject *dict)
{
	_cleanup_py_ PyObject *out = PyDict_New();
	PyObject *key, *value;
	Py_ssize_t at = 0;

	while (out && PyDict_Next(dict, &at, &key, &value))
		if (!is_hashed_anew(p, key, 0) && PyDict_SetItem(out, key, value))
			return NULL;
	return py_take(&out);
}

/* A registry that already has the kept object as a key keeps what is there. */
static int fill(struct plan *p, PyObject *twin, PyObject *dict)
{
	_cleanup_py_ PyObject *items = twin_dict_items(&p->job->world, dict);
	_cleanup_py_ PyObject *staying = NULL;
	PyObject *item;

	for (Py_ssize_t i = 0; (item = py_item(items, i)); i++) {
		PyObject *key = py_first(item);
		PyObject *value = py_second(item);
		_cleanup_py_ PyObject *kept = hashed_as(p, key);
		if (!kept || (kept != key && !staying && !(staying = staying_keys(p, dict))))
			return -1;
		if (kept != key && PyDict_GetItem(staying, kept))
			continue;
		if (twin_dict_set(&p->job->world, twin, kept, plan_stand_in(p, value)))
			return -1;
	}
	return items ? 0 : -1;
}

int rebind_content(struct plan *p, PyObject *dict)
{
	const struct world *w = &p->job->world;
	int is_swapped = twin_dict_is_sound(w, dict);
	_cleanup_py_ PyObject *twin = is_swapped ? twin_dict_new(w, dict) : PyDict_New();

	if (!twin || fill(p, twin, dict))
		return -1;
	return writes_add(&p->writes, is_swapped ? WRITE_TWIN : WRITE_CONTENT, dict, NULL, twin)
		       ? 0
		       : -1;
}

/* --- sets -------------------------------------------------------------------------------- */

/* 1: *changed is a copy with what stands for its items, a new reference; 0: it would be the
 * same. Copies of sets take the hashes over and go by what the set is: nobody's __hash__ is
 * called but that of the items that are replaced, and no __iter__. */
static int change_set(struct plan *p, PyObject *set, PyObject **changed)
{
	_cleanup_py_ PyObject *copy = PySet_New(set);
	_cleanup_py_ PyObject *items = copy ? PySequence_List(copy) : NULL;
	_cleanup_py_ PyObject *come = items ? PyList_New(0) : NULL;

	if (!come)
		return -1;
	/* What comes may be equal to what goes: members of an enum that swap their numbers. */
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(items, i)); i++) {
		_cleanup_py_ PyObject *kept = hashed_as(p, item);
		if (!kept)
			return -1;
		if (kept != item &&
		    (PySet_Discard(copy, item) < 0 || PyList_Append(come, kept)))
			return -1;
	}
	for (Py_ssize_t i = 0; (item = py_item(come, i)); i++)
		if (PySet_Add(copy, item))
			return -1;
	int differs = PyList_Size(come) > 0;
	*changed = differs ? py_take(&copy) : NULL;
	return differs;
}

int rebind_set(struct plan *p, PyObject *set)
{
	_cleanup_py_ PyObject *content = NULL;
	int differs = change_set(p, set, &content);

	if (differs <= 0)
		return differs;
	return writes_add(&p->writes, WRITE_SET, set, NULL, content) ? 0 : -1;
}

int rebind_frozenset(struct plan *p, PyObject *more, PyObject *frozen)
{
	_cleanup_py_ PyObject *changed = NULL;
	int differs = change_set(p, frozen, &changed);

	if (differs <= 0 || pointer_map_get(&p->stand_in, frozen))
		return differs < 0 ? -1 : 0;
	_cleanup_py_ PyObject *new = py_call(p->job->world.frozenset, changed);
	if (!new || pointer_map_set(&p->stand_in, frozen, new))
		return -1;
	return PyList_Append(more, frozen);
}
