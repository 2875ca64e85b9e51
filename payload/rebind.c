/* SPDX-License-Identifier: MIT
 *
 * References to donors that are left: in registries that new code filled, in cells, defaults,
 * tuples and instances; and the functions whose globals are a shadow namespace. One pass over
 * the heap finds every object that the collector knows and that refers to one of them.
 *
 * The invariant: what the collector does not name as a referrer is not looked into, and a word
 * in memory is changed only where it was proved to be the reference in question.
 */
#include "payload/freestanding.h"
#include "payload/history.h"
#include "payload/plan.h"
#include "payload/rebind_kind.h"
#include "payload/referrers.h"
#include "payload/untracked.h"
#include "payload/word.h"

struct rebind {
	struct plan *plan;
	const struct world *world;
	struct pointer_map ignore; /* our own containers, and what dies with the donors */
	PyObject *keys;            /* list: the objects whose referrers matter */
};

static int ignore(struct rebind *r, PyObject *o)
{
	return o ? pointer_map_set(&r->ignore, o, o) : 0;
}

static int ignore_list(struct rebind *r, PyObject *list)
{
	for (Py_ssize_t i = 0; i < PyList_Size(list); i++)
		if (ignore(r, PyList_GetItem(list, i)))
			return -1;
	return ignore(r, list);
}

/* The functions that ran undecorated are in tuples in a dict. */
static int ignore_undecorated(struct rebind *r, const struct module *m)
{
	PyObject *qualname, *entry;
	Py_ssize_t at = 0;

	if (!m->donors)
		return 0;
	while (PyDict_Next(m->donors, &at, &qualname, &entry))
		if (ignore(r, entry))
			return -1;
	return ignore(r, m->donors) || ignore(r, m->inner) || ignore(r, m->parts) ? -1 : 0;
}

static int ignore_record(void *context, PyObject *o)
{
	return ignore(context, o);
}

static long reference_count(const struct world *w, PyObject *o)
{
	_cleanup_py_ PyObject *count = py_call(w->getrefcount, o);

	return count ? PyLong_AsLong(count) : -1;
}

/* What a class is made of besides its namespace changes with __bases__, not by us. */
static int ignore_ancestry(struct rebind *r, PyObject *class)
{
	_cleanup_py_ PyObject *mro = world_type_attribute(class, "__mro__");
	_cleanup_py_ PyObject *bases = world_type_attribute(class, "__bases__");

	return mro && bases && !ignore(r, mro) && !ignore(r, bases) ? 0 : -1;
}

/* A class that nobody will use: its own namespace refers to it, and shall. */
static int ignore_class(struct rebind *r, PyObject *class)
{
	_cleanup_py_ PyObject *proxy = py_call(r->world->dict_of_type, class);
	_cleanup_py_ PyObject *inside = proxy ? py_call(r->world->get_referents, proxy) : NULL;

	if (!inside || ignore(r, class) || ignore_ancestry(r, class))
		return -1;
	for (Py_ssize_t i = 0; i < PyList_Size(inside); i++)
		if (ignore(r, PyList_GetItem(inside, i)))
			return -1;
	return 0;
}

/* Donor functions that only their namespace and the plan (twice) hold need no search: most. */
static int needs_search(struct rebind *r, PyObject *donor)
{
	return !py_is(donor, r->world->function) || reference_count(r->world, donor) > 3;
}

static int collect_keys(struct rebind *r)
{
	struct plan *p = r->plan;
	const struct pointer_entry *entry;
	size_t at = 0;

	while ((entry = pointer_map_next(&p->stand_in, &at))) {
		if (world_is_class(r->world, entry->key) && ignore_class(r, entry->key))
			return -1;
		if (needs_search(r, entry->key) && PyList_Append(r->keys, entry->key))
			return -1;
	}
	for (size_t i = 0; i < p->job->modules.count; i++) {
		const struct module *m = &p->job->modules.items[i];
		if (PyList_Append(r->keys, m->live) || ignore(r, m->fresh) ||
		    ignore_undecorated(r, m) || ignore(r, m->before) || ignore(r, m->binds) ||
		    ignore(r, m->shadow) || ignore(r, m->object))
			return -1;
	}
	if (p->shadow->builtins && PyList_Append(r->keys, p->shadow->builtins))
		return -1;
	return 0;
}

static int ignore_own(struct rebind *r)
{
	const struct shadow *s = r->plan->shadow;

	if (ignore(r, r->keys) || history_visit(r->plan->job, ignore_record, r))
		return -1;
	for (size_t i = 0; i < r->plan->class_count; i++)
		if (ignore(r, r->plan->classes[i].binds))
			return -1;
	if (!s->hook)
		return 0;
	if (ignore(r, s->hook) || ignore(r, s->builtins) || ignore_list(r, s->shadows) ||
	    ignore_list(r, s->classes) || ignore_list(r, s->made) ||
	    ignore(r, PyDict_GetItemString(s->hook, "shadows")))
		return -1;
	for (Py_ssize_t i = 0; i < PyList_Size(s->shadows); i++) {
		PyObject *pair = PyList_GetItem(s->shadows, i);
		PyObject *shadow = PyTuple_GetItem(pair, 0);
		if (ignore(r, shadow) || ignore(r, PyModule_GetDict(shadow)))
			return -1;
	}
	return 0;
}

/* --- words ------------------------------------------------------------------------------- */

static int count_in_list(PyObject *list, PyObject *o)
{
	int count = 0;

	for (Py_ssize_t i = 0; i < PyList_Size(list); i++)
		count += PyList_GetItem(list, i) == o;
	return count;
}

static int write_word(struct plan *p, PyObject *o, PyObject *old, PyObject *value,
		      size_t offset)
{
	struct write *write = writes_add(&p->writes, WRITE_WORD, o, old, value);

	if (!write)
		return -1;
	write->offset = offset;
	return 0;
}

static int rebind_word(struct rebind *r, PyObject *o, PyObject *old, PyObject *value)
{
	size_t offset = 0;
	int proved = word_find(r->world, o, old, &offset);

	return proved == 1 ? write_word(r->plan, o, old, value, offset) : proved;
}

/* A function made in a shadow gets the live namespace and the program's builtins (3.10 keeps
 * them in the function). Without that it cannot become the program's. */
static int rebind_function(struct rebind *r, PyObject *function)
{
	PyObject *globals = PyFunction_GetGlobals(function);
	const struct module *m = plan_module_of(r->plan, globals);
	PyObject *builtins = m ? shadow_real_builtins(r->world, m) : r->world->builtins;
	PyObject *live = plan_stand_in(r->plan, globals);
	size_t offset;

	if (live != globals) {
		int proved = word_find(r->world, function, globals, &offset);
		if (proved == 0)
			PyErr_SetString(r->world->error, "functions of an unknown layout");
		if (proved != 1 || write_word(r->plan, function, globals, live, offset))
			return -1;
	}
	if (rebind_word(r, function, r->plan->shadow->builtins, builtins) < 0)
		return -1;
	return m ? 0 : adopt_code_alone(r->plan, function);
}

/* The items of a tuple follow its fixed part. Objects/tupleobject.c, all versions; checked
 * against what PyTuple_GetItem says before each write. */
static int rebind_tuple(struct rebind *r, PyObject *tuple)
{
	_cleanup_py_ PyObject *size = world_type_attribute(r->world->tuple, "__basicsize__");

	if (!size)
		return -1;
	for (Py_ssize_t i = 0; i < PyTuple_Size(tuple); i++) {
		PyObject *item = PyTuple_GetItem(tuple, i);
		PyObject *value = plan_stand_in(r->plan, item);
		size_t offset = (size_t)PyLong_AsLong(size) + (size_t)i * sizeof(item);
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
	int is_hard = rebind_judge_dict(r->plan, dict);
	PyObject *key, *value;
	Py_ssize_t at = 0;

	if (is_hard >= 0)
		r->plan->touches_class_dict |= looks_like_class_dict(dict);
	if (is_hard)
		return is_hard < 0 ? 0 : rebind_content(r->plan, dict);
	while (PyDict_Next(dict, &at, &key, &value)) {
		PyObject *kept = plan_stand_in(r->plan, value);
		if (kept != value && !writes_add(&r->plan->writes, WRITE_ITEM, dict, key, kept))
			return -1;
	}
	return 0;
}

/* A registry that already has the kept object has it once, not twice. */
static int rebind_list(struct rebind *r, PyObject *list)
{
	_cleanup_py_ PyObject *items = PySequence_List(list), *out = PyList_New(0);
	int differs = 0;

	for (Py_ssize_t i = 0; items && out && i < PyList_Size(items); i++) {
		PyObject *item = PyList_GetItem(items, i);
		PyObject *kept = plan_stand_in(r->plan, item);
		differs |= kept != item;
		if (kept != item && (count_in_list(out, kept) || count_in_list(items, kept)))
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

/* Immutable builtin objects with one function or object inside. */
static int rebind_wrapper(struct rebind *r, PyObject *o)
{
	_cleanup_py_ PyObject *referents = py_call(r->world->get_referents, o);

	for (Py_ssize_t i = 0; referents && i < PyList_Size(referents); i++) {
		PyObject *item = PyList_GetItem(referents, i);
		PyObject *kept = plan_stand_in(r->plan, item);
		if (kept != item && item != py_type(o) && rebind_word(r, o, item, kept) < 0)
			return -1;
	}
	return referents ? 0 : -1;
}

/* Subclasses elsewhere of a class that was replaced, and new classes below a donor. */
static int rebind_class(struct rebind *r, PyObject *class)
{
	_cleanup_py_ PyObject *bases = world_type_attribute(class, "__bases__");
	_cleanup_py_ PyObject *list = bases ? PyList_New(0) : NULL;
	int differs = 0;

	if (!list)
		return -1;
	for (Py_ssize_t i = 0; i < PyTuple_Size(bases); i++) {
		PyObject *base = PyTuple_GetItem(bases, i);
		differs |= plan_stand_in(r->plan, base) != base;
		if (PyList_Append(list, plan_stand_in(r->plan, base)))
			return -1;
	}
	_cleanup_py_ PyObject *kept = differs ? PyList_AsTuple(list) : NULL;
	if (!differs)
		return 0;
	return kept ? plan_write(r->plan, WRITE_BASES, class, NULL, kept) : -1;
}

/* --- instances and the pass itself ------------------------------------------------------- */

static int move_instance(struct rebind *r, PyObject *o, PyObject *class)
{
	struct plan *p = r->plan;
	PyObject *kept = plan_stand_in(p, class);

	if (kept == class || pointer_map_get(&r->ignore, o))
		return 0;
	for (size_t i = 0; i < p->class_count; i++)
		p->classes[i].instances += p->classes[i].old == class;
	return writes_add(&p->writes, WRITE_CLASS, o, NULL, kept) ? 0 : -1;
}

/* An object with attributes: 3.11 keeps them in the object, not in a dict of their own. */
static int rebind_attributes(struct rebind *r, PyObject *o)
{
	_cleanup_py_ PyObject *dict = world_own_dict(r->world, o);

	return dict && !pointer_map_get(&r->ignore, dict) ? rebind_dict(r, dict) : 0;
}

/* Slots of classes written in Python, by their descriptors. */
static int rebind_slots(struct rebind *r, PyObject *o)
{
	_cleanup_py_ PyObject *mro = world_type_attribute(py_type(o), "__mro__");
	PyObject *key, *descriptor;

	for (Py_ssize_t i = 0; mro && i < PyTuple_Size(mro); i++) {
		_cleanup_py_ PyObject *dict =
			world_type_dict(r->world, PyTuple_GetItem(mro, i));
		Py_ssize_t at = 0;
		while (dict && PyDict_Next(dict, &at, &key, &descriptor)) {
			if (!py_is(descriptor, r->world->member_descriptor))
				continue;
			_cleanup_py_ PyObject *value =
				PyObject_CallMethod(descriptor, "__get__", "O", o);
			PyErr_Clear();
			PyObject *kept = value ? plan_stand_in(r->plan, value) : NULL;
			if (kept != value && rebind_word(r, o, value, kept) < 0)
				return -1;
		}
	}
	return mro ? 0 : -1;
}

static int rebind_items(struct rebind *r, PyObject *o)
{
	const struct world *w = r->world;

	if (py_is_a(o, w->dict))
		return rebind_dict(r, o);
	if (py_is_a(o, w->list) || rebind_is_deque(w, o))
		return rebind_list(r, o);
	if (py_is_a(o, w->tuple))
		return rebind_tuple(r, o);
	return py_is_a(o, w->set) ? rebind_set(r->plan, o) : 0;
}

/* Instances of subclasses have attributes besides their items. */
static int is_bare(const struct world *w, PyObject *o)
{
	return py_is(o, w->dict) || py_is(o, w->list) || py_is(o, w->tuple) || py_is(o, w->set);
}

static int rebind_one(struct rebind *r, PyObject *o)
{
	const struct world *w = r->world;

	if (py_is(o, w->function))
		return rebind_function(r, o) || rebind_attributes(r, o) ? -1 : 0;
	if (py_is(o, w->cell))
		return rebind_cell(r, o);
	if (world_is_class(w, o))
		return rebind_class(r, o);
	if (py_is(o, w->method) || py_is_a(o, w->property) || py_is(o, w->staticmethod) ||
	    py_is(o, w->classmethod) || py_is(o, w->partial) || py_is(o, w->lru_cache))
		return rebind_wrapper(r, o);
	if (world_is_module(w, o) || py_is(o, w->getset_descriptor) ||
	    py_is(o, w->member_descriptor))
		return 0;
	if (rebind_items(r, o))
		return -1;
	/* Of a million instances that move, hardly one has the class in an attribute, too. */
	if (is_bare(w, o) || !referrers_beyond_type(&r->plan->stand_in, o,
						    r->plan->job->reply.header->python_version))
		return 0;
	return rebind_attributes(r, o) || rebind_slots(r, o) ? -1 : 0;
}

/* 3.9 made instances refer to their class for the collector; before, all are looked at. */
static PyObject *find_referrers(struct rebind *r, PyObject *keys)
{
	_cleanup_py_ PyObject *found = referrers_find(r->world, keys);

	if (found && untracked_referrers(r->world, keys, found))
		return NULL;
	if (!found || !r->plan->class_count ||
	    r->plan->job->reply.header->python_version >= 0x03090000)
		return py_take(&found);
	_cleanup_py_ PyObject *all = py_call(r->world->get_objects);
	for (Py_ssize_t i = 0; all && i < PyList_Size(all); i++) {
		PyObject *o = PyList_GetItem(all, i);
		if (pointer_map_get(&r->plan->stand_in, py_type(o)) && PyList_Append(found, o))
			return NULL;
	}
	return all ? py_take(&found) : NULL;
}

static int rebind_all(struct rebind *r, PyObject *found)
{
	const struct world *w = r->world;
	struct pointer_map seen = {0};
	int status = ignore(r, found);

	for (Py_ssize_t i = 0; !status && i < PyList_Size(found); i++) {
		PyObject *o = PyList_GetItem(found, i);
		if (world_is_class(w, o) && !pointer_map_get(&r->ignore, o))
			status = ignore_ancestry(r, o);
	}
	for (Py_ssize_t i = 0; !status && i < PyList_Size(found); i++) {
		PyObject *o = PyList_GetItem(found, i);
		if (pointer_map_get(&r->ignore, o) || pointer_map_get(&seen, o))
			continue;
		status = pointer_map_set(&seen, o, o) || move_instance(r, o, py_type(o)) ||
			 rebind_one(r, o);
	}
	pointer_map_fini(&seen);
	return status ? -1 : 0;
}

/* Who holds a frozenset that is replaced is found in turn; frozensets hold one another. */
static int replace_frozensets(struct rebind *r, PyObject *found)
{
	const struct world *w = r->world;
	Py_ssize_t at = 0;

	for (;;) {
		_cleanup_py_ PyObject *more = PyList_New(0);
		for (; more && at < PyList_Size(found); at++) {
			PyObject *o = PyList_GetItem(found, at);
			if (py_is(o, w->frozenset) && !pointer_map_get(&r->ignore, o) &&
			    rebind_frozenset(r->plan, more, o))
				return -1;
		}
		if (!more || !PyList_Size(more))
			return more ? 0 : -1;
		_cleanup_py_ PyObject *next = find_referrers(r, more);
		Py_ssize_t end = PyList_Size(found);
		if (!next || ignore(r, more) || PyList_SetSlice(found, end, end, next))
			return -1;
	}
}

int rebind_references(struct plan *plan)
{
	struct rebind r = {.plan = plan, .world = &plan->job->world, .keys = PyList_New(0)};
	PyObject *found = NULL;
	int status =
		r.keys && !ignore_own(&r) && !collect_keys(&r) && !rebind_weak(plan, r.keys)
			? 0
			: -1;

	if (!status && PyList_Size(r.keys) > 0) {
		found = find_referrers(&r, r.keys);
		status = found && !ignore(&r, found) && !replace_frozensets(&r, found)
				 ? rebind_all(&r, found)
				 : -1;
	}
	pointer_map_fini(&r.ignore);
	Py_DecRef(found);
	Py_DecRef(r.keys);
	return status;
}
