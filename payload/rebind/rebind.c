/* SPDX-License-Identifier: MIT
 *
 * References to donors that are left: in registries that new code filled, in cells, defaults,
 * tuples and instances; and the functions whose globals are a shadow namespace. One pass over
 * the heap finds every object that the collector knows and that refers to one of them.
 *
 * The invariant: what the collector does not name as a referrer is not looked into.
 */
#include "payload/rebind/rebind.h"

#include "payload/base/freestanding.h"
#include "payload/heap/referrers.h"
#include "payload/heap/untracked.h"
#include "payload/plan/holders.h"
#include "payload/rebind/rebind_hashed.h"
#include "payload/rebind/rebind_weak.h"

/* Donor functions that only their namespace and the plan (twice) hold need no search: most. */
static int needs_search(struct rebind *r, PyObject *donor)
{
	return !world_is_function(donor) || world_references(r->world, donor) > 3 ||
	       rebind_is_weakly_held(r->world, donor);
}

static int collect_keys(struct rebind *r)
{
	const struct plan *p = r->plan;
	const struct pointer_entry *entry;
	size_t at = 0;

	while ((entry = pointer_map_next(&p->stand_in, &at))) {
		if (!needs_search(r, entry->key))
			continue;
		if (PyList_Append(r->keys, entry->key))
			return -1;
	}
	for (size_t i = 0; i < p->job->modules.count; i++) {
		const struct module *m = &p->job->modules.items[i];
		if (!holders_are_known(p, m) && PyList_Append(r->keys, m->live))
			return -1;
	}
	return p->shadow->builtins ? PyList_Append(r->keys, p->shadow->builtins) : 0;
}

/* Classes that move and have instances that nobody tracks. */
static int is_untracked_moved(const struct plan *p)
{
	for (size_t i = 0; i < p->class_count; i++) {
		PyObject *old = p->classes[i].old;
		if (plan_stand_in(p, old) != old && !(PyType_GetFlags(old) & PY_TYPE_HAS_GC))
			return 1;
	}
	return 0;
}

/* What holds a donor, and closures that no name leads to, may be among them. */
static int needs_hidden(const struct rebind *r)
{
	return is_untracked_moved(r->plan) || untracked_is_frozen(r->world);
}

static PyObject *find_referrers(struct rebind *r, PyObject *keys)
{
	PyObject *young = rebind_young_referrers(r, keys);

	if (young)
		return young;
	_cleanup_py_ PyObject *found = referrers_find(r->world, keys);
	if (!r->hidden)
		r->hidden = untracked_find(r->world, needs_hidden(r));
	if (!found || !r->hidden || untracked_referrers(r->world, r->hidden, keys, found))
		return NULL;
	return py_take(&found);
}

/* The list of those that go with `o` from its class to the one that stands for it: there may be
 * many, and each costs a word. Borrowed; NULL with an exception. */
static PyObject *list_for(struct rebind *r, PyObject *class)
{
	PyObject *kept = plan_stand_in(r->plan, class);
	PyObject *list = pointer_map_get(&r->moving, class);
	_cleanup_py_ PyObject *made = list ? NULL : PyList_New(0);

	if (list)
		return list;
	if (!made || pointer_map_set(&r->moving, class, made) ||
	    !writes_add(&r->plan->writes, WRITE_INSTANCES, class, made, kept))
		return NULL;
	return made;
}

static int move_instance(struct rebind *r, PyObject *o)
{
	struct plan *p = r->plan;
	PyObject *class = py_type(o);

	if (plan_stand_in(p, class) == class)
		return 0;
	struct class_pair *pair = plan_pair_of(p, class);
	if (pair)
		pair->instances++;
	/* A class has another metaclass. */
	if (world_is_class(o))
		return writes_add(&p->writes, WRITE_CLASS, o, NULL, plan_stand_in(p, class))
			       ? 0
			       : -1;
	PyObject *list = list_for(r, class);
	return py_append(list, o);
}

static int ignore_ancestries(struct rebind *r, PyObject *found)
{
	PyObject *o;
	for (Py_ssize_t i = 0; (o = py_item(found, i)); i++) {
		if (world_is_class(o) && !pointer_map_get(&r->ignore, o) &&
		    rebind_ignore_ancestry(r, o))
			return -1;
	}
	return 0;
}

static int rebind_all(struct rebind *r, PyObject *found)
{
	struct pointer_map seen = {0};
	int status = rebind_ignore(r, found);
	PyObject *o;

	for (Py_ssize_t i = 0; !status && (o = py_item(found, i)); i++) {
		if (pointer_map_get(&r->ignore, o) ||
		    pointer_map_get(&r->plan->migration->left, o))
			continue;
		status = pointer_map_add(&seen, o);
		if (status == 1)
			status = move_instance(r, o) || rebind_object(r, o) ? -1 : 0;
	}
	pointer_map_fini(&seen);
	return status;
}

/* What of `found` is to be searched for in turn; see rebind_hashed.c. New list. */
static PyObject *hashed_anew(struct rebind *r, PyObject *found, Py_ssize_t from,
			     struct pointer_map *known)
{
	_cleanup_py_ PyObject *more = PyList_New(0);
	PyObject *o;

	for (Py_ssize_t i = from; more && (o = py_item(found, i)); i++) {
		if (pointer_map_get(&r->ignore, o) || pointer_map_get(known, o))
			continue;
		if (py_is(o, r->world->frozenset) && rebind_frozenset(r->plan, more, o))
			return NULL;
		if (rebind_is_key_tuple(r->plan, o) &&
		    (PyList_Append(more, o) || pointer_map_set(known, o, o)))
			return NULL;
	}
	return py_take(&more);
}

/* Tuples and frozensets hold one another. */
static int find_hashed(struct rebind *r, PyObject *found)
{
	struct pointer_map known = {0};
	Py_ssize_t at = 0;
	int status = 0, is_done = 0;

	while (!status && !is_done) {
		Py_ssize_t end = PyList_Size(found);
		_cleanup_py_ PyObject *more = hashed_anew(r, found, at, &known);
		is_done = more && !PyList_Size(more);
		if (is_done)
			break;
		_cleanup_py_ PyObject *next = more ? find_referrers(r, more) : NULL;
		at = end;
		status = next && !rebind_ignore(r, more)
				 ? PyList_SetSlice(found, end, end, next)
				 : -1;
	}
	pointer_map_fini(&known);
	return status;
}

int rebind_references(struct plan *plan)
{
	struct rebind r = {.plan = plan, .world = &plan->job->world, .keys = PyList_New(0)};

	PyObject *found = NULL;
	int status = r.keys && !rebind_ignore_ours(&r) && !rebind_ignore_donors(&r) &&
				     !collect_keys(&r) && !rebind_weak(plan, r.keys)
			     ? 0
			     : -1;

	if (!status && PyList_Size(r.keys) > 0) {
		found = find_referrers(&r, r.keys);
		status = found && !rebind_ignore(&r, found) && !ignore_ancestries(&r, found) &&
					 !find_hashed(&r, found)
				 ? rebind_all(&r, found)
				 : -1;
	}
	/* It refers to what was searched for in turn, and so was found itself. */
	if (found && PyList_SetSlice(found, 0, PyList_Size(found), NULL))
		status = -1;
	pointer_map_fini(&r.ignore);
	pointer_map_fini(&r.written);
	pointer_map_fini(&r.moving);
	Py_DecRef(found);
	Py_DecRef(r.keys);
	Py_DecRef(r.hidden);
	return status;
}
