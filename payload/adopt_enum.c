/* SPDX-License-Identifier: MIT
 *
 * Enums in place: a member that both sources have stays the object it is and takes the new
 * value; the class's maps are rebuilt around the kept members.
 */
#include "payload/freestanding.h"
#include "payload/plan.h"

struct enum_maps {
	PyObject *members, *values, *names; /* borrowed from the class */
};

static int maps_of(struct enum_maps *out, const struct world *w, PyObject *dict)
{
	*out = (struct enum_maps){
		.members = PyDict_GetItemString(dict, "_member_map_"),
		.values = PyDict_GetItemString(dict, "_value2member_map_"),
		.names = PyDict_GetItemString(dict, "_member_names_"),
	};
	return out->members && out->values && out->names && py_is_a(out->members, w->dict) &&
	       py_is_a(out->values, w->dict) && py_is_a(out->names, w->list);
}

/* A member that is itself an int, a str or a tuple cannot change its value. */
static int can_take_value(const struct world *w, PyObject *old, PyObject *new)
{
	PyObject *const immutable[] = {w->integer, w->str, w->real, w->tuple, w->bytes};
	_cleanup_py_ PyObject *old_dict = world_own_dict(w, old);
	_cleanup_py_ PyObject *new_dict = world_own_dict(w, new);
	PyObject *x = old_dict ? PyDict_GetItemString(old_dict, "_value_") : NULL;
	PyObject *y = new_dict ? PyDict_GetItemString(new_dict, "_value_") : NULL;

	if (!x || !y)
		return 0;
	for (size_t i = 0; i < sizeof(immutable) / sizeof(*immutable); i++)
		if (py_is_a(old, immutable[i]))
			return merge_is_same_constant(w, x, y);
	return 1;
}

static int take_member(struct plan *p, PyObject *class, PyObject *old, PyObject *new)
{
	const struct world *w = &p->job->world;
	_cleanup_py_ PyObject *old_dict = world_own_dict(w, old);
	_cleanup_py_ PyObject *new_dict = world_own_dict(w, new);
	_cleanup_py_ PyObject *content = new_dict ? PyDict_Copy(new_dict) : NULL;

	if (!old_dict || !content || PyDict_SetItemString(content, "__objclass__", class) ||
	    pointer_map_set(&p->stand_in, new, old))
		return -1;
	return plan_write(p, WRITE_CONTENT, old_dict, NULL, content);
}

static int take_members(struct plan *p, const struct class_pair *pair,
			const struct enum_maps *old, const struct enum_maps *new)
{
	const struct world *w = &p->job->world;
	PyObject *key, *member;
	Py_ssize_t at = 0;

	while (PyDict_Next(new->members, &at, &key, &member)) {
		PyObject *before = PyDict_GetItem(old->members, key);
		if (before == member)
			continue;
		if (before && can_take_value(w, before, member)) {
			if (take_member(p, pair->old, before, member))
				return -1;
			continue;
		}
		_cleanup_py_ PyObject *dict = world_own_dict(w, member);
		_cleanup_py_ PyObject *name = PyUnicode_FromString("__objclass__");
		if (dict && name && !writes_add(&p->writes, WRITE_ITEM, dict, name, pair->old))
			return -1;
	}
	return 0;
}

/* A copy of a map with donors swapped. */
static PyObject *with_stand_ins(const struct plan *p, PyObject *map)
{
	_cleanup_py_ PyObject *out = PyDict_New();
	PyObject *key, *value;
	Py_ssize_t at = 0;

	while (out && PyDict_Next(map, &at, &key, &value))
		if (PyDict_SetItem(out, key, plan_stand_in(p, value)))
			return NULL;
	return py_take(&out);
}

/* 3.11 has members or their descriptors in the class's namespace: old ones stay, and those of
 * members that are gone go. */
static int settle_names(struct plan *p, const struct class_pair *pair, PyObject *old_dict,
			const struct enum_maps *old, const struct enum_maps *new)
{
	static const char *const maps[] = {"_member_map_", "_value2member_map_",
					   "_member_names_"};
	PyObject *key, *member;
	Py_ssize_t at = 0;

	for (size_t i = 0; i < sizeof(maps) / sizeof(*maps); i++) {
		PyObject *map = PyDict_GetItemString(old_dict, maps[i]);
		if (PyDict_SetItemString(pair->binds, maps[i], map))
			return -1;
	}
	while (PyDict_Next(old->members, &at, &key, &member)) {
		PyObject *now = PyDict_GetItem(old_dict, key);
		PyObject *next = PyDict_GetItem(new->members, key);
		if (!now)
			continue;
		if (!next && plan_write(p, WRITE_TYPE, pair->old, key, NULL))
			return -1;
		if (next && (now != member || plan_stand_in(p, next) == member) &&
		    PyDict_SetItem(pair->binds, key, now))
			return -1;
	}
	return 0;
}

int adopt_enum(struct plan *p, struct class_pair *pair)
{
	const struct world *w = &p->job->world;
	_cleanup_py_ PyObject *old_dict = world_type_dict(w, pair->old);
	_cleanup_py_ PyObject *new_dict = world_type_dict(w, pair->donor);
	struct enum_maps old, new;

	if (!old_dict || !new_dict)
		return -1;
	if (!maps_of(&old, w, old_dict) || !maps_of(&new, w, new_dict))
		return 0;
	if (take_members(p, pair, &old, &new))
		return -1;
	_cleanup_py_ PyObject *members = with_stand_ins(p, new.members);
	_cleanup_py_ PyObject *values = with_stand_ins(p, new.values);
	if (!members || !values || plan_write(p, WRITE_CONTENT, old.members, NULL, members) ||
	    plan_write(p, WRITE_CONTENT, old.values, NULL, values) ||
	    plan_write(p, WRITE_LIST, old.names, NULL, new.names))
		return -1;
	return settle_names(p, pair, old_dict, &old, &new);
}
