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

/* An old member stands for one new one: what was an alias may be a member of its own now. */
static int pair_map(struct plan *p, struct pointer_map *taken, PyObject *old, PyObject *new)
{
	PyObject *key, *member;
	Py_ssize_t at = 0;

	while (PyDict_Next(new, &at, &key, &member)) {
		PyObject *before = PyDict_GetItem(old, key);
		if (!before || before == member || pointer_map_get(taken, before) ||
		    pointer_map_get(&p->stand_in, member) ||
		    !can_take_value(&p->job->world, before, member))
			continue;
		if (pointer_map_set(&p->stand_in, member, before) ||
		    pointer_map_set(taken, before, member))
			return -1;
	}
	return 0;
}

/* All pairs come first, since members may hold one another (_inverted_). Combinations of flags
 * are in the map of values alone. */
static int pair_members(struct plan *p, const struct enum_maps *old,
			const struct enum_maps *new)
{
	struct pointer_map taken = {0};
	int status = pair_map(p, &taken, old->members, new->members) ||
		     pair_map(p, &taken, old->values, new->values);

	pointer_map_fini(&taken);
	return status ? -1 : 0;
}

/* A member takes what its donor is, a new one becomes a member of the kept class. */
static int take_member(struct plan *p, PyObject *class, PyObject *donor)
{
	const struct world *w = &p->job->world;
	PyObject *kept = plan_stand_in(p, donor);
	_cleanup_py_ PyObject *old_dict = world_own_dict(w, kept);
	_cleanup_py_ PyObject *new_dict = world_own_dict(w, donor);
	_cleanup_py_ PyObject *content = new_dict ? with_stand_ins(p, new_dict) : NULL;

	if (!old_dict || !content || PyDict_SetItemString(content, "__objclass__", class))
		return -1;
	if (kept != donor)
		return plan_write(p, WRITE_CONTENT, old_dict, NULL, content);
	return writes_add(&p->writes, WRITE_CONTENT, old_dict, NULL, content) ? 0 : -1;
}

static int take_members(struct plan *p, const struct class_pair *pair,
			const struct enum_maps *old, const struct enum_maps *new)
{
	PyObject *key, *member;
	Py_ssize_t at = 0;

	while (PyDict_Next(new->members, &at, &key, &member))
		if (PyDict_GetItem(old->members, key) != member &&
		    take_member(p, pair->old, member))
			return -1;
	return 0;
}

/* Are all members there that were, with their values? */
static int is_superset(const struct world *w, const struct enum_maps *old,
		       const struct enum_maps *new)
{
	PyObject *key, *member;
	Py_ssize_t at = 0;

	while (PyDict_Next(old->members, &at, &key, &member)) {
		PyObject *next = PyDict_GetItem(new->members, key);
		_cleanup_py_ PyObject *x = world_own_dict(w, member);
		_cleanup_py_ PyObject *y = next ? world_own_dict(w, next) : NULL;
		PyObject *a = x ? PyDict_GetItemString(x, "_value_") : NULL;
		PyObject *b = y ? PyDict_GetItemString(y, "_value_") : NULL;
		if (!a || !b || !merge_is_same_constant(w, a, b))
			return 0;
	}
	return 1;
}

/* R | W is made when it is first asked for, and stays what it is while R and W do. But what it
 * keeps as its complement (3.11) is not what it was. */
static int keep_combinations(struct plan *p, const struct enum_maps *old, PyObject *values,
			     const struct enum_maps *new)
{
	const struct world *w = &p->job->world;
	_cleanup_py_ PyObject *inverted = PyUnicode_FromString("_inverted_");
	PyObject *value, *member;
	Py_ssize_t at = 0;

	if (!inverted || !is_superset(w, old, new))
		return inverted ? 0 : -1;
	while (PyDict_Next(old->values, &at, &value, &member)) {
		if (PyDict_GetItem(values, value))
			continue;
		_cleanup_py_ PyObject *dict = world_own_dict(w, member);
		PyObject *now = dict ? PyDict_GetItem(dict, inverted) : NULL;
		if (PyDict_SetItem(values, value, member) ||
		    (now && now != w->none &&
		     plan_write(p, WRITE_ITEM, dict, inverted, w->none)))
			return -1;
	}
	return 0;
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
		if (!next && plan_write_attribute(p, pair->old, key, NULL))
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
	if (pair_members(p, &old, &new) || take_members(p, pair, &old, &new))
		return -1;
	_cleanup_py_ PyObject *members = with_stand_ins(p, new.members);
	_cleanup_py_ PyObject *values = with_stand_ins(p, new.values);
	if (!members || !values || keep_combinations(p, &old, values, &new) ||
	    plan_write(p, WRITE_CONTENT, old.members, NULL, members) ||
	    plan_write(p, WRITE_CONTENT, old.values, NULL, values) ||
	    plan_write(p, WRITE_LIST, old.names, NULL, new.names))
		return -1;
	return settle_names(p, pair, old_dict, &old, &new);
}
