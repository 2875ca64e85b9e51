/* SPDX-License-Identifier: MIT
 *
 * Pairing a class of the program with its donor, attribute by attribute, and judging whether it
 * can take the definition in place.
 */
#include "payload/base/freestanding.h"
#include "payload/job/walk.h"
#include "payload/plan/plan.h"
#include "payload/python/class_change.h"
#include "payload/python/code.h"
#include "payload/python/compare.h"

int merge_is_new_class(const struct plan *p, const struct module *m, PyObject *o)
{
	return walk_is_class_of(&p->job->world, m, o) &&
	       !pointer_map_get(&p->migration->old_classes, o);
}

/* A donor of shadow/hooks/classes.py, which has the changed attributes alone? Whatever new code
 * has made of it since. */
static int is_part(const struct plan *p, PyObject *old, PyObject *new)
{
	PyObject *pair;
	for (Py_ssize_t i = 0; (pair = py_item(p->shadow->made, i)); i++) {
		if (py_first(pair) == new &&py_second(pair) == old)
			return 1;
	}
	return 0;
}

struct class_pair *merge_add_pair(struct plan *p, const struct module *m, PyObject *old,
				  PyObject *new)
{
	struct class_pair *pair = py_add(&p->classes, sizeof(*pair));

	if (!pair)
		return NULL;
	pair->module = m;
	pair->old = py_ref(old);
	pair->donor = py_ref(new);
	pair->binds = PyDict_New();
	return pair->binds ? pair : NULL;
}

/* A class that `o` depends on, made anew together with it under the same name. */
static int merge_relative(struct plan *p, const struct module *m, PyObject *old, PyObject *new)
{
	_cleanup_py_ PyObject *x = world_name(old), *y = world_name(new);

	if (old == new || !merge_is_new_class(p, m, new) || !x || !y || !py_equal(x, y))
		return 0;
	_cleanup_py_ PyObject *merged = merge_value(p, m, old, new);
	return merged ? 0 : -1;
}

/* The metaclass; a namedtuple() or a mixin that is a base. */
static int merge_bases(struct plan *p, const struct module *m, PyObject *old, PyObject *new)
{
	_cleanup_py_ PyObject *olds = world_bases(old);
	_cleanup_py_ PyObject *news = world_bases(new);

	if (!olds || !news)
		return -1;
	PyObject *item;
	for (Py_ssize_t i = 0; i < PyTuple_Size(news) && (item = py_tuple_item(olds, i)); i++)
		if (merge_relative(p, m, item, PyTuple_GetItem(news, i)))
			return -1;
	return merge_relative(p, m, py_type(old), py_type(new));
}

/* What a part donor has for being a class. */
static void forget_donors_own(PyObject *dict)
{
	PyDict_DelItemString(dict, "__slots__");
	PyDict_DelItemString(dict, "__abstractmethods__");
	PyErr_Clear();
}

static int is_part_of_type(const struct world *w, PyObject *key, PyObject *value)
{
	return py_is(value, w->member_descriptor) || py_is(value, w->getset_descriptor) ||
	       compare_is_name(key, "__dict__ __weakref__ __module__ _abc_impl "
				    /* 3.6 */
				    "_abc_registry _abc_cache _abc_negative_cache "
				    "_abc_negative_cache_version");
}

/* The attributes whose statements did not change; NULL when all may have: an enum makes members
 * of them. Borrowed. */
static PyObject *kept_attributes(const struct world *w, const struct module *m, PyObject *class,
				 PyObject *new)
{
	_cleanup_py_ PyObject *qualname = world_qualname(class);
	PyObject *names = py_get(m->kept, qualname);

	PyErr_Clear();
	return py_is_a(new, w->enum_type) || py_is_a(class, w->enum_type) ? NULL : names;
}

/* A field of a form or model that says when it was made, which is the order that they come in.
 * It has no place among others that were made anew. */
static int is_counted(const struct world *w, PyObject *value)
{
	_cleanup_py_ PyObject *counter = world_own_item(w, value, "creation_counter");

	return counter != NULL;
}

/* Functions and classes in a class keep their identity anyhow and take the new lines. What a
 * part has of them is of a statement that does not have the last word. */
static int stays(const struct world *w, PyObject *kept, PyObject *key, PyObject *value,
		 int is_part)
{
	if (!kept || PySet_Contains(kept, key) != 1)
		return 0;
	if (is_part)
		return 1;
	if (world_is_function(value) || world_is_class(value) || is_counted(w, value))
		return 0;
	_cleanup_py_ PyObject *inside = walk_inside(w, value);
	return inside && !PyList_Size(inside);
}

/* A method that the maker got as it is (shadow/hooks/keep.py), and left so. */
static PyObject *stand_for_bare(const struct module *m, PyObject *value)
{
	_cleanup_py_ PyObject *name = py_attribute(value, "__qualname__");
	PyObject *pair = py_get(m->donors, name);

	return pair && py_first(pair) == value ? py_second(pair) : value;
}

static int merge_attributes(struct plan *p, const struct module *m, PyObject *kept,
			    PyObject *binds, PyObject *const dicts[2], int is_part)
{
	PyObject *old_dict = dicts[0], *new_dict = dicts[1];

	const struct world *w = &p->job->world;
	PyObject *key, *value;
	Py_ssize_t at = 0;

	while (PyDict_Next(new_dict, &at, &key, &value)) {
		PyObject *old = PyDict_GetItem(old_dict, key);
		/* An abstract class's memory, to one that was none. */
		int is_missing = !old && world_is_str(key) && !is_part &&
				 !PyUnicode_CompareWithASCIIString(key, "_abc_impl");
		if (!world_is_str(key) || (!is_missing && is_part_of_type(w, key, value)))
			continue;
		if (is_part && old && plan_stand_in(p, value) == old) /* a clone */
			continue;
		if (old && stays(w, kept, key, value, is_part))
			value = old;
		if (old && m->donors && world_is_function(value))
			value = stand_for_bare(m, value);
		_cleanup_py_ PyObject *merged =
			old ? merge_value(p, m, old, value) : py_ref(value);
		if (py_put(binds, key, merged) ||
		    (old && merge_replaced(p, m, key, dicts, (PyObject *[]){old, merged})))
			return -1;
	}
	return 0;
}

/* The namespaces themselves: 3.12 gives functions inside a class a cell, __classdict__, with
 * its namespace to look annotations and type parameters up in. */
static int merge_namespaces(struct plan *p, PyObject *gone, PyObject *kept)
{
	const struct world *w = &p->job->world;
	_cleanup_py_ PyObject *x = world_class_namespace(w, gone);
	_cleanup_py_ PyObject *y = world_class_namespace(w, kept);

	return x && y ? pointer_map_set(&p->stand_in, x, y) : -1;
}

/* An enum's members are made for the class that it is. */
static int takes_metaclass(const struct plan *p, PyObject *class, PyObject *metaclass)
{
	const struct world *w = &p->job->world;

	if (metaclass == py_type(class))
		return 1;
	/* 3.6 has no _abc_impl for what an abstract or generic class remembers. */
	if (w->opcodes.minor < 7 && w->abc_meta && PyType_IsSubtype(metaclass, w->abc_meta))
		return 0;
	if (w->enum_type && (PyType_IsSubtype(metaclass, w->enum_type) ||
			     PyType_IsSubtype(py_type(class), w->enum_type)))
		return 0;
	return class_is_exchangeable(w, py_type(class), metaclass);
}

static int is_defined_in(const struct world *w, const struct module *m, PyObject *class,
			 PyObject *qualname)
{
	_cleanup_py_ PyObject *code =
		walk_is_class_of(w, m, class) ? code_find(m->code, qualname) : NULL;

	return code != NULL;
}

/* The module whose code defines the class. A package may call it its own and be met first. */
static const struct module *maker_of(const struct plan *p, const struct module *m,
				     PyObject *class)
{
	const struct modules *all = &p->job->modules;
	_cleanup_py_ PyObject *qualname = world_qualname(class);
	const struct world *w = &p->job->world;

	PyErr_Clear();
	if (!qualname || is_defined_in(w, m, class, qualname))
		return m;
	for (size_t i = 0; i < all->count; i++)
		if (is_defined_in(w, &all->items[i], class, qualname))
			return &all->items[i];
	return m;
}

/* Which of them stays is known from now on. */
static int settle_pair(struct plan *p, const struct class_pair *pair)
{
	PyObject *gone = pair->is_migrating ? pair->old : pair->donor;
	PyObject *kept = pair->is_migrating ? pair->donor : pair->old;

	return pointer_map_set(&p->adopted, pair->old, pair->donor) ||
	       pointer_map_set(&p->stand_in, gone, kept) ||
	       (p->job->world.opcodes.minor >= 12 && merge_namespaces(p, gone, kept));
}

/* Those that it is below come first. Where there can be no copy the class stays, and the commit
 * says why. */
static int merge_copy(struct plan *p, PyObject *class)
{
	_cleanup_py_ PyObject *bases = world_bases(class);

	if (!bases || !pointer_map_get(&p->migration->must_move, class) ||
	    pointer_map_get(&p->stand_in, class))
		return bases ? 0 : -1;
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_tuple_item(bases, i)); i++)
		if (merge_copy(p, item))
			return -1;
	_cleanup_py_ PyObject *wanted = plan_bases(p, class);
	_cleanup_py_ PyObject *copy = wanted ? class_copy(&p->job->world, class, wanted) : NULL;
	if (!copy) {
		PyErr_Clear();
		return 0;
	}
	struct class_pair *pair = plan_pair_of(p, class);
	_cleanup_py_ PyObject *part = pair ? pair->donor : NULL;
	if (pair)
		pair->donor = py_ref(copy);
	else
		pair = merge_add_pair(p, NULL, class, copy);
	if (!pair || (part && pointer_map_set(&p->stand_in, part, copy)))
		return -1;
	pair->is_migrating = 1;
	return settle_pair(p, pair);
}

int merge_copies(struct plan *p)
{
	const struct pointer_entry *entry;
	size_t at = 0;

	while ((entry = pointer_map_next(&p->migration->must_move, &at)))
		if (merge_copy(p, entry->key))
			return -1;
	return 0;
}

/* What a statement said that its module is stays, unless one says another now, or it moved. */
static int bind_module(const struct world *w, const struct class_pair *pair, PyObject *old_dict,
		       PyObject *new_dict)
{
	PyObject *key = w->name[NAME_MODULE], *said = PyDict_GetItem(new_dict, key);

	if (!said || compare_constants(w, said, pair->module->name))
		said = PyDict_GetItem(old_dict, key);
	return said ? PyDict_SetItem(pair->binds, key, said) : 0;
}

PyObject *merge_classes(struct plan *p, const struct module *m, PyObject *old, PyObject *new)
{
	const struct world *w = &p->job->world;
	const struct module *home = p->moved_from ? p->moved_from : m;
	int part = is_part(p, old, new);

	if ((!part && (!merge_is_new_class(p, m, new) || !walk_is_class_of(w, home, old))) ||
	    pointer_map_get(&p->adopted, old))
		return py_ref(new);
	if (!p->moved_from)
		home = m = maker_of(p, m, new);
	_cleanup_py_ PyObject *old_dict = world_type_dict(w, old);
	_cleanup_py_ PyObject *new_dict = world_type_dict(w, new);
	if (!old_dict || !new_dict || (!part && merge_bases(p, m, old, new)))
		return NULL;
	if (part)
		forget_donors_own(new_dict);
	struct class_pair *pair = merge_add_pair(p, home, old, new);
	if (!pair || bind_module(w, pair, old_dict, new_dict))
		return NULL;
	_cleanup_py_ PyObject *binds = py_ref(pair->binds);
	int moves = !part && (pointer_map_get(&p->migration->must_move, old) ||
			      !class_has_slots_like(w, old, new) ||
			      !takes_metaclass(p, old, plan_stand_in(p, py_type(new))));
	pair->is_migrating = moves != 0;
	pair->is_part = part != 0;
	if (settle_pair(p, pair) ||
	    merge_attributes(p, m, kept_attributes(w, m, old, new), binds,
			     (PyObject *const[]){old_dict, new_dict}, part))
		return NULL;
	return py_ref(moves ? new : old);
}
