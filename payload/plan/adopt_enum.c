/* SPDX-License-Identifier: MIT
 *
 * Enums: a member that both sources have stays the object it is and takes the new value; the
 * class's maps are rebuilt around the kept members. A member that is an int or a str itself
 * cannot change: the new one of its name stands for it, and references to it are rebound like
 * those to a class that was replaced. So it is with all members of a class that is replaced.
 */
#include "payload/base/freestanding.h"
#include "payload/plan/plan.h"
#include "payload/python/compare.h"

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

/* The type written in C, other than object, that members are instances of, or NULL without
 * exception: what they have from it (their number, their text) was set when they were made. */
static PyObject *data_type(const struct world *w, PyObject *member)
{
	_cleanup_py_ PyObject *mro = world_mro(py_type(member));
	PyObject *base;

	for (Py_ssize_t i = 0; (base = py_tuple_item(mro, i)); i++) {
		if (base != w->object && !(PyType_GetFlags(base) & PY_TYPE_IS_HEAP))
			return base;
	}
	PyErr_Clear();
	return NULL;
}

static int is_equal_as(PyObject *type, PyObject *a, PyObject *b)
{
	_cleanup_py_ PyObject *compare = PyObject_GetAttrString(type, "__eq__");
	_cleanup_py_ PyObject *equal = compare ? py_call(compare, a, b) : NULL;
	int is_equal = equal && PyObject_IsTrue(equal) == 1;

	PyErr_Clear();
	return is_equal;
}

static int is_number_in_place(PyObject *class, const char *name)
{
	long number = world_type_number(class, name);

	PyErr_Clear();
	return number > 0;
}

static long basic_size(PyObject *class)
{
	return world_type_number(class, "__basicsize__");
}

/* All that a member has is in its __dict__: neither slots nor what a type written in C adds. */
static int is_plain(const struct world *w, PyObject *member)
{
	PyObject *class = py_type(member);
	long pointers = is_number_in_place(class, "__dictoffset__") +
			is_number_in_place(class, "__weakrefoffset__");

	return !is_number_in_place(class, "__itemsize__") &&
	       basic_size(class) <= basic_size(w->object) + pointers * (long)sizeof(PyObject *);
}

static int can_take_value(const struct world *w, PyObject *old, PyObject *new)
{
	_cleanup_py_ PyObject *x = world_own_item(w, old, "_value_");
	_cleanup_py_ PyObject *y = world_own_item(w, new, "_value_");

	if (!x || !y || is_plain(w, old))
		return x && y && is_plain(w, new);
	PyObject *type = data_type(w, old);
	if (!type || type != data_type(w, new) || !is_equal_as(type, old, new))
		return 0;
	return compare_constants(w, x, y) ||
	       (py_is(x, type) && py_is(y, type) && type != w->real && type != w->complex &&
		is_equal_as(type, x, y));
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

struct pairing {
	struct plan *plan;
	struct pointer_map taken;
	int is_moving; /* none can stay */
};

static int pair_member(struct pairing *pairing, PyObject *old, PyObject *new)
{
	struct plan *p = pairing->plan;

	if (pointer_map_set(&pairing->taken, old, new) ||
	    pointer_map_set(&pairing->taken, new, old))
		return -1;
	if (!pairing->is_moving && can_take_value(&p->job->world, old, new))
		return pointer_map_set(&p->stand_in, new, old);
	return plan_replace(p, old, new);
}

/* One old member goes with one new one: what was an alias may be a member of its own now. */
static int pair_map(struct pairing *pairing, PyObject *old, PyObject *new)
{
	PyObject *key, *member;
	Py_ssize_t at = 0;

	while (PyDict_Next(new, &at, &key, &member)) {
		PyObject *before = PyDict_GetItem(old, key);
		if (before && before != member && !pointer_map_get(&pairing->taken, before) &&
		    !pointer_map_get(&pairing->taken, member) &&
		    pair_member(pairing, before, member))
			return -1;
	}
	return 0;
}

static int is_in(PyObject *list, PyObject *o)
{
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(list, i)); i++)
		if (item == o)
			return 1;
	return 0;
}

static long number_of(const struct world *w, PyObject *member)
{
	_cleanup_py_ PyObject *value = world_own_item(w, member, "_value_");
	long number = py_is(value, w->integer) ? PyLong_AsLong(value) : -1;

	PyErr_Clear();
	return number;
}

/* What a combination of old flags comes to with the new ones of their names; -1 when one of
 * them is gone. */
static long number_now(const struct world *w, const struct enum_maps *old,
		       const struct enum_maps *new, long number)
{
	PyObject *name, *flag;
	Py_ssize_t at = 0;
	long rest = number, now = 0;

	while (PyDict_Next(old->members, &at, &name, &flag)) {
		PyObject *next = PyDict_GetItem(new->members, name);
		long bits = number_of(w, flag);
		if (!next || bits <= 0 || (number & bits) != bits)
			continue;
		rest &= ~bits;
		now |= number_of(w, next);
	}
	return rest ? -1 : now;
}

/* Does the class make its combinations without the program's help? */
static int combines_alone(const struct world *w, PyObject *class)
{
	_cleanup_py_ PyObject *missing =
		py_is(class, w->enum_type) ? py_attribute(class, "_missing_") : NULL;
	_cleanup_py_ PyObject *module = py_attribute(missing, "__module__");

	return world_is_str(module) && !PyUnicode_CompareWithASCIIString(module, "enum");
}

/* R | W follows R and W. The donor makes it as it makes any; -1 with an exception. */
static int pair_combinations(struct pairing *pairing, PyObject *donor,
			     const struct enum_maps *old, const struct enum_maps *new)
{
	const struct world *w = &pairing->plan->job->world;
	_cleanup_py_ PyObject *members = PyDict_Values(old->members);
	PyObject *key, *member;
	Py_ssize_t at = 0;

	while (combines_alone(w, donor) && PyDict_Next(old->values, &at, &key, &member)) {
		long number = number_of(w, member);
		long now = number > 0 && members && !is_in(members, member)
				   ? number_now(w, old, new, number)
				   : -1;
		if (now < 0 || (now == number && !pairing->is_moving))
			continue;
		_cleanup_py_ PyObject *value = PyLong_FromLong(now);
		_cleanup_py_ PyObject *made = value ? py_call(donor, value) : NULL;
		if (!made)
			return -1;
		if (!pointer_map_get(&pairing->taken, made) &&
		    pair_member(pairing, member, made))
			return -1;
	}
	return 0;
}

/* All pairs come first, since members may hold one another (_inverted_). A member goes by its
 * name, or by its value when its name is gone. Combinations of flags are in the map of values
 * alone. */
static int pair_members(struct plan *p, const struct class_pair *pair,
			const struct enum_maps *old, const struct enum_maps *new, int is_moving)
{
	struct pairing pairing = {.plan = p, .is_moving = is_moving};
	int status = pair_map(&pairing, old->members, new->members) ||
		     pair_combinations(&pairing, pair->donor, old, new) ||
		     pair_map(&pairing, old->values, new->values);

	pointer_map_fini(&pairing.taken);
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

	if (!old_dict || !content ||
	    (PyDict_GetItemString(content, "__objclass__") &&
	     PyDict_SetItemString(content, "__objclass__", class)))
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
	/* Combinations that stay the objects that they are. */
	_cleanup_py_ PyObject *members = PyDict_Values(new->members);
	for (at = 0; members && PyDict_Next(new->values, &at, &key, &member);)
		if (plan_stand_in(p, member) != member && !is_in(members, member) &&
		    take_member(p, pair->old, member))
			return -1;
	return members ? 0 : -1;
}

/* --- combinations of flags --------------------------------------------------------------- */

/* The bits of the flags that are in both maps of values. */
static long bits_in_both(const struct world *w, PyObject *a, PyObject *b)
{
	long bits = 0;
	PyObject *key, *member;
	Py_ssize_t at = 0;

	while (PyDict_Next(a, &at, &key, &member))
		if (py_is(key, w->integer) && PyDict_GetItem(b, key) == member)
			bits |= PyLong_AsLong(key);
	PyErr_Clear();
	return bits;
}

/* R | W is made when it is first asked for, and stays what it is while R and W do. But what it
 * keeps as its complement (3.11) is not what it was. Adds it to the new map of values. */
static int carry_combination(struct plan *p, PyObject *values, PyObject *value,
			     PyObject *member, long bits)
{
	const struct world *w = &p->job->world;
	_cleanup_py_ PyObject *inverted = PyUnicode_FromString("_inverted_");
	_cleanup_py_ PyObject *dict = world_own_dict(w, member);
	PyObject *now = py_get(dict, inverted);
	long own = py_is(value, w->integer) ? PyLong_AsLong(value) : -1;

	if (PyErr_Occurred() || (own & ~bits)) {
		PyErr_Clear();
		return inverted ? 0 : -1;
	}
	if (now && now != w->none && plan_write(p, WRITE_ITEM, dict, inverted, w->none))
		return -1;
	return PyDict_SetItem(values, value, member);
}

static int keep_combinations(struct plan *p, const struct enum_maps *old, PyObject *values)
{
	const struct world *w = &p->job->world;
	long bits = bits_in_both(w, old->values, values);
	_cleanup_py_ PyObject *members = PyDict_Values(old->members);
	PyObject *value, *member;
	Py_ssize_t at = 0;

	while (members && PyDict_Next(old->values, &at, &value, &member))
		if (!PyDict_GetItem(values, value) && !is_in(members, member) &&
		    carry_combination(p, values, value, member, bits))
			return -1;
	return members ? 0 : -1;
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

/* 1, or 0 when they are no enums. */
static int maps_of_pair(struct enum_maps *old, struct enum_maps *new, const struct world *w,
			const struct class_pair *pair)
{
	_cleanup_py_ PyObject *old_dict = world_type_dict(w, pair->old);
	_cleanup_py_ PyObject *new_dict = world_type_dict(w, pair->donor);

	if (!old_dict || !new_dict)
		return -1;
	return maps_of(old, w, old_dict) && maps_of(new, w, new_dict);
}

int adopt_enum(struct plan *p, struct class_pair *pair)
{
	const struct world *w = &p->job->world;
	_cleanup_py_ PyObject *old_dict = world_type_dict(w, pair->old);
	struct enum_maps old, new;
	int found = old_dict ? maps_of_pair(&old, &new, w, pair) : -1;

	if (found != 1)
		return found;
	if (pair_members(p, pair, &old, &new, 0) || take_members(p, pair, &old, &new))
		return -1;
	_cleanup_py_ PyObject *members = with_stand_ins(p, new.members);
	_cleanup_py_ PyObject *values = with_stand_ins(p, new.values);
	if (!members || !values || keep_combinations(p, &old, values) ||
	    plan_write(p, WRITE_CONTENT, old.members, NULL, members) ||
	    plan_write(p, WRITE_CONTENT, old.values, NULL, values) ||
	    plan_write(p, WRITE_LIST, old.names, NULL, new.names))
		return -1;
	return settle_names(p, pair, old_dict, &old, &new);
}

/* The donor's members are those of the class then. */
int adopt_enum_moved(struct plan *p, const struct class_pair *pair)
{
	struct enum_maps old, new;
	int found = maps_of_pair(&old, &new, &p->job->world, pair);

	return found == 1 ? pair_members(p, pair, &old, &new, 1) : found;
}

/* --- the way back ------------------------------------------------------------------------ */

static int is_map_of_values(const struct world *w, PyObject *member, PyObject *map)
{
	_cleanup_py_ PyObject *dict = py_is_a(py_type(member), w->enum_type)
					      ? world_type_dict(w, py_type(member))
					      : NULL;

	return dict && PyDict_GetItemString(dict, "_value2member_map_") == map;
}

/* What the program finds there before the write: what an earlier one makes of it. Borrowed. */
static PyObject *content_before(const struct writes *writes, size_t at)
{
	for (size_t i = at; i-- > 0;)
		if (writes->items[i].object == writes->items[at].object &&
		    writes->items[i].kind == WRITE_CONTENT)
			return writes->items[i].value;
	return writes->items[at].object;
}

/* One of the same number from before is what the map leads to again. */
static int carry_back(struct plan *p, PyObject *dicts[2], PyObject *key, PyObject *member)
{
	long bits = bits_in_both(&p->job->world, dicts[0], dicts[1]);

	if (PyDict_SetItem(dicts[0], key, member))
		return -1;
	return PyDict_GetItem(dicts[1], key)
		       ? 0
		       : carry_combination(p, dicts[1], key, member, bits);
}

int adopt_enum_back(struct plan *p, size_t at)
{
	const struct world *w = &p->job->world;
	const struct write *write = &p->writes.items[at];
	PyObject *object = write->object, *key, *member;
	Py_ssize_t next = 0;

	if (write->kind != WRITE_CONTENT || !py_is_a(write->expected, w->dict))
		return 0;
	_cleanup_py_ PyObject *now = PyDict_Copy(content_before(&p->writes, at));
	_cleanup_py_ PyObject *expected = PyDict_Copy(write->expected);
	_cleanup_py_ PyObject *value = PyDict_Copy(write->value);
	if (!now || !expected || !value)
		return -1;
	while (PyDict_Next(now, &next, &key, &member)) {
		PyObject *there = PyDict_GetItem(expected, key);
		int is_inverted = world_is_str(key) &&
				  !PyUnicode_CompareWithASCIIString(key, "_inverted_");
		if (there == member)
			continue;
		if (is_inverted ? PyDict_SetItem(expected, key, member)
		    : there || !is_map_of_values(w, member, object)
			    ? 0
			    : carry_back(p, (PyObject *[]){expected, value}, key, member))
			return -1;
	}
	struct write *back = &p->writes.items[at];
	Py_DecRef(back->expected);
	Py_DecRef(back->value);
	back->expected = py_take(&expected);
	back->value = py_take(&value);
	return 0;
}
