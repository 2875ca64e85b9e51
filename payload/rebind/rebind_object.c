/* SPDX-License-Identifier: MIT
 *
 * One object that refers to others for which something stands: the writes that make it refer to
 * that instead, kind by kind.
 *
 * The invariant: a word in memory is changed only where it was proved to be the reference in
 * question.
 */
#include "payload/base/freestanding.h"
#include "payload/heap/referrers.h"
#include "payload/heap/word.h"
#include "payload/rebind/rebind.h"
#include "payload/rebind/rebind_hashed.h"
#include "payload/rebind/rebind_weak.h"

static int write_word(struct plan *p, PyObject *o, PyObject *old, PyObject *value,
		      size_t offset)
{
	struct write *write = writes_add(&p->writes, WRITE_WORD, o, old, value);

	if (!write)
		return -1;
	write->offset = offset;
	return 0;
}

/* Not before `offset`. */
static int rebind_word(struct rebind *r, PyObject *o, PyObject *old, PyObject *value,
		       size_t offset)
{
	int found;

	for (; (found = word_find(r->world, o, old, &offset)) > 0; offset += sizeof(old))
		if (write_word(r->plan, o, old, value, offset))
			return -1;
	return found;
}

/* A function made in a shadow gets the live namespace and the program's builtins (3.10 keeps
 * them in the function). Without that it cannot become the program's. A closure that a clone
 * made in there has old code like one of the program's. */
static int rebind_function(struct rebind *r, PyObject *function)
{
	PyObject *globals = PyFunction_GetGlobals(function);
	const struct module *m = plan_module_of(r->plan, globals);
	PyObject *builtins = m ? shadow_real_builtins(r->world, m) : r->world->builtins;
	PyObject *live = plan_stand_in(r->plan, globals);
	size_t offset;

	if (live != globals && (word_find_globals(r->world, function, &offset) ||
				write_word(r->plan, function, globals, live, offset)))
		return -1;
	if (rebind_word(r, function, r->plan->shadow->builtins, builtins, 0) < 0)
		return -1;
	return adopt_code_alone(r->plan, function);
}

/* The items of a tuple follow its fixed part. Objects/tupleobject.c, all versions; checked
 * against what PyTuple_GetItem says before each write. */
static int rebind_tuple(struct rebind *r, PyObject *tuple)
{
	long size = world_type_number(r->world->tuple, "__basicsize__");

	if (size < 0)
		return -1;
	/* One that C code is still filling has gaps. */
	for (Py_ssize_t i = 0; i < PyTuple_Size(tuple); i++) {
		PyObject *item = PyTuple_GetItem(tuple, i);
		PyObject *value = plan_stand_in(r->plan, item);
		size_t offset = (size_t)size + (size_t)i * sizeof(item);
		if (value == item || memcmp((const char *)tuple + offset, &item, sizeof(item)))
			continue;
		if (write_word(r->plan, tuple, item, value, offset))
			return -1;
	}
	return 0;
}

/* --- containers -------------------------------------------------------------------------- */

/* Namespaces of classes have both; a dict of the program's costs a needless flush. */
static int looks_like_class_dict(PyObject *dict)
{
	return PyDict_GetItemString(dict, "__module__") &&
	       PyDict_GetItemString(dict, "__doc__");
}

static int rebind_dict(struct rebind *r, PyObject *dict)
{
	PyObject *written = pointer_map_get(&r->written, dict);
	int is_hard = rebind_judge_dict(r->plan, dict);
	PyObject *key, *value;
	Py_ssize_t at = 0;

	if (is_hard >= 0)
		r->plan->touches_class_dict |= looks_like_class_dict(dict);
	if (is_hard)
		return is_hard < 0 ? 0 : rebind_content(r->plan, dict);
	while (PyDict_Next(dict, &at, &key, &value)) {
		PyObject *kept = plan_stand_in(r->plan, value);
		if (kept == value || rebind_is_subclass_entry(r->world, key, value) ||
		    (written && world_is_str(key) && PySet_Contains(written, key) == 1))
			continue;
		if (!writes_add(&r->plan->writes, WRITE_ITEM, dict, key, kept))
			return -1;
	}
	return 0;
}

/* Is what stands for the item there already, or for another item before it? */
static int is_there_anyhow(const struct plan *p, PyObject *items, Py_ssize_t at)
{
	PyObject *item = PyList_GetItem(items, at), *kept = plan_stand_in(p, item);
	PyObject *o;

	for (Py_ssize_t i = 0; (o = py_item(items, i)); i++) {
		if (o != item && (o == kept || (i < at && plan_stand_in(p, o) == kept)))
			return 1;
	}
	return 0;
}

/* A registry that already has the kept object has it once, not twice. */
static int rebind_list(struct rebind *r, PyObject *list)
{
	_cleanup_py_ PyObject *items = world_list_items(r->world, list), *out = PyList_New(0);
	int differs = 0;
	PyObject *item;

	for (Py_ssize_t i = 0; out && (item = py_item(items, i)); i++) {
		PyObject *kept = plan_stand_in(r->plan, item);
		differs |= kept != item;
		if (kept != item && is_there_anyhow(r->plan, items, i))
			continue;
		if (PyList_Append(out, kept))
			return -1;
	}
	if (!items || !out || !differs)
		return items && out ? 0 : -1;
	return writes_add(&r->plan->writes, WRITE_LIST, list, NULL, out) ? 0 : -1;
}

static int rebind_cell(struct rebind *r, PyObject *cell)
{
	_cleanup_py_ PyObject *value = PyCell_Get(cell);
	PyObject *kept = value ? plan_stand_in(r->plan, value) : NULL;

	if (kept == value)
		return 0;
	return writes_add(&r->plan->writes, WRITE_CELL, cell, NULL, kept) ? 0 : -1;
}

/* --- instances --------------------------------------------------------------------------- */

/* An object with attributes: 3.11 keeps them in the object, not in a dict of their own. */
static int rebind_attributes(struct rebind *r, PyObject *o)
{
	_cleanup_py_ PyObject *dict = world_own_dict(r->world, o);

	return dict && !pointer_map_get(&r->ignore, dict) ? rebind_dict(r, dict) : 0;
}

static int is_repeated(PyObject *list, Py_ssize_t at)
{
	for (Py_ssize_t i = 0; i < at; i++)
		if (PyList_GetItem(list, i) == PyList_GetItem(list, at))
			return 1;
	return 0;
}

static size_t size_of(PyObject *type, const char *which)
{
	long size = world_type_number(type, which);

	return size > 0 ? (size_t)size : 0;
}

/* Slots of classes written in Python; whatever a type written in C has that it shows the
 * collector: methods, partials, iterators, generic aliases. A set has some of its items in its
 * fixed part, where their hashes put them. Frames and generators, which have items, go on with
 * the function and the variables that they have, but for a namespace. */
static int rebind_words(struct rebind *r, PyObject *o)
{
	const struct world *w = r->world;
	PyObject *set = py_is_a(o, w->set) ? w->set : w->frozenset;
	size_t from = py_is_a(o, set) ? size_of(set, "__basicsize__") : 0;
	int has_items = size_of(py_type(o), "__itemsize__") != 0;
	_cleanup_py_ PyObject *referents = py_call(w->get_referents, o);
	PyObject *item;

	for (Py_ssize_t i = 0; (item = py_item(referents, i)); i++) {
		PyObject *kept = plan_stand_in(r->plan, item);
		if (kept == item || (item == py_type(o) && !py_type_offset) ||
		    (has_items && !world_is_dict(item)) || is_repeated(referents, i))
			continue;
		if (rebind_word(r, o, item, kept, from) < 0)
			return -1;
	}
	return referents ? 0 : -1;
}

static int rebind_items(struct rebind *r, PyObject *o)
{
	const struct world *w = r->world;

	if (py_is_a(o, w->dict))
		return rebind_dict(r, o);
	if (py_is_a(o, w->list) || py_is_a(o, world_deque(w)))
		return rebind_list(r, o);
	if (py_is_a(o, w->tuple))
		return rebind_tuple(r, o);
	return py_is_a(o, w->set) ? rebind_set(r->plan, o) : 0;
}

/* Instances of subclasses have attributes besides their items. */
static int is_bare(const struct world *w, PyObject *o)
{
	return world_is_dict(o) || py_is(o, w->list) || world_is_tuple(o) || py_is(o, w->set);
}

int rebind_object(struct rebind *r, PyObject *o)
{
	const struct world *w = r->world;

	if (world_is_function(o))
		return rebind_function(r, o) || rebind_attributes(r, o) ? -1 : 0;
	if (py_is(o, w->cell))
		return rebind_cell(r, o);
	/* Subclasses elsewhere of a class that was replaced, and new classes below a donor. */
	if (world_is_class(o))
		return adopt_bases(r->plan, o, o);
	if (world_is_module(o) || py_is(o, w->getset_descriptor) ||
	    py_is(o, w->member_descriptor))
		return 0;
	if (rebind_items(r, o))
		return -1;
	/* Of a million instances that move, hardly one has the class in an attribute, too. */
	if (is_bare(w, o) || !referrers_beyond_type(&r->plan->stand_in, o))
		return 0;
	if (rebind_attributes(r, o))
		return -1;
	return py_is_a(o, w->tuple) ? 0 : rebind_words(r, o); /* it can have no slots */
}
