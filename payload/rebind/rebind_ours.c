/* SPDX-License-Identifier: MIT
 *
 * What rebinding must not look into: the containers of this attach and of the record, and what
 * will die with the donors.
 */
#include "payload/base/freestanding.h"
#include "payload/rebind/rebind.h"
#include "payload/record/history.h"

int rebind_ignore(struct rebind *r, PyObject *o)
{
	return o ? pointer_map_set(&r->ignore, o, o) : 0;
}

static int ignore_list(struct rebind *r, PyObject *list)
{
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(list, i)); i++)
		if (rebind_ignore(r, item))
			return -1;
	return rebind_ignore(r, list);
}

/* The functions that ran undecorated are in tuples in a dict. */
static int ignore_undecorated(struct rebind *r, const struct module *m)
{
	PyObject *qualname, *entry;
	Py_ssize_t at = 0;

	if (!m->donors)
		return 0;
	while (PyDict_Next(m->donors, &at, &qualname, &entry))
		if (rebind_ignore(r, entry))
			return -1;
	return rebind_ignore(r, m->donors) || rebind_ignore(r, m->inner) ||
			       rebind_ignore(r, m->parts)
		       ? -1
		       : 0;
}

/* What a class is made of besides its namespace changes with __bases__, not by us. */
int rebind_ignore_ancestry(struct rebind *r, PyObject *class)
{
	_cleanup_py_ PyObject *mro = world_mro(class);
	_cleanup_py_ PyObject *bases = world_bases(class);

	return mro && bases && !rebind_ignore(r, mro) && !rebind_ignore(r, bases) ? 0 : -1;
}

/* What was replaced before stays what it was then. */
static int ignore_record(void *context, PyObject *o)
{
	struct rebind *r = context;

	if (world_is_class(o) && rebind_ignore_ancestry(r, o))
		return -1;
	return rebind_ignore(r, o);
}

/* A class that nobody will use: its own namespace refers to it, and shall. */
static int ignore_class(struct rebind *r, PyObject *class)
{
	_cleanup_py_ PyObject *proxy = py_call(r->world->dict_of_type, class);
	_cleanup_py_ PyObject *inside = proxy ? py_call(r->world->get_referents, proxy) : NULL;

	if (!inside || rebind_ignore(r, class) || rebind_ignore_ancestry(r, class))
		return -1;
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(inside, i)); i++)
		if (rebind_ignore(r, item))
			return -1;
	return 0;
}

/* Members of an enum that is replaced stay its own, with their attributes. */
static int ignore_members(struct rebind *r, PyObject *map)
{
	PyObject *key, *member;
	Py_ssize_t at = 0;

	if (!py_is_a(map, r->world->dict))
		return 0;
	while (PyDict_Next(map, &at, &key, &member)) {
		_cleanup_py_ PyObject *dict = world_own_dict(r->world, member);
		if (rebind_ignore(r, member) || rebind_ignore(r, dict))
			return -1;
	}
	return rebind_ignore(r, map);
}

static int ignore_enum(struct rebind *r, PyObject *class)
{
	_cleanup_py_ PyObject *dict = world_type_dict(r->world, class);

	if (!dict || ignore_members(r, PyDict_GetItemString(dict, "_member_map_")))
		return -1;
	return ignore_members(r, PyDict_GetItemString(dict, "_value2member_map_"));
}

/* The dict that a write sets one name in. New reference, or NULL without exception. */
static PyObject *written_dict(const struct world *w, const struct write *write)
{
	if (write->kind == WRITE_ITEM)
		return py_ref(write->object);
	if (write->kind != WRITE_TYPE && write->kind != WRITE_NAMESPACE)
		return NULL;
	PyObject *dict = world_class_namespace(w, write->object);
	PyErr_Clear();
	return dict;
}

static int note_name(struct rebind *r, PyObject *dict, PyObject *name)
{
	PyObject *names = pointer_map_get(&r->written, dict);
	_cleanup_py_ PyObject *made = names ? NULL : PySet_New(NULL);

	if (!names && (!made || pointer_map_set(&r->written, dict, made)))
		return -1;
	return PySet_Add(names ? names : made, name);
}

/* What the new source says of a name goes before what stands for its old value. What is written
 * as a whole gets a content that was made for it. */
static int note_writes(struct rebind *r)
{
	const struct writes *writes = &r->plan->writes;

	for (size_t i = 0; i < writes->count; i++) {
		const struct write *write = &writes->items[i];
		_cleanup_py_ PyObject *dict = written_dict(r->world, write);
		if (dict && world_is_str(write->key) && note_name(r, dict, write->key))
			return -1;
		if (write->kind == WRITE_CONTENT && rebind_ignore(r, write->object))
			return -1;
	}
	return 0;
}

/* Not a donor: a class of the program that another takes the place of. */
static int is_replaced(const struct plan *p, PyObject *class)
{
	for (size_t i = 0; i < p->class_count; i++)
		if (p->classes[i].old == class)
			return 1;
	return 0;
}

/* What dies with the donors, and the modules' namespaces while they are made. */
int rebind_ignore_donors(struct rebind *r)
{
	struct plan *p = r->plan;
	const struct pointer_entry *entry;
	size_t at = 0;

	while ((entry = pointer_map_next(&p->stand_in, &at)))
		if (world_is_class(entry->key) &&
		    (ignore_class(r, entry->key) ||
		     (py_is_a(entry->key, r->world->enum_type) && is_replaced(p, entry->key) &&
		      ignore_enum(r, entry->key))))
			return -1;
	for (size_t i = 0; i < p->job->modules.count; i++) {
		const struct module *m = &p->job->modules.items[i];
		if (rebind_ignore(r, m->fresh) || ignore_undecorated(r, m) ||
		    rebind_ignore(r, m->before) || rebind_ignore(r, m->binds) ||
		    rebind_ignore(r, m->shadow) || rebind_ignore(r, m->object))
			return -1;
	}
	return 0;
}

/* What is replaced stays what it was, for a rollback; but functions take new code. */
static int ignore_replaced(struct rebind *r)
{
	PyObject *pair;
	for (Py_ssize_t i = 0; (pair = py_item(r->plan->replaced, i)); i++)
		if (!world_is_function(py_first(pair)) && rebind_ignore(r, py_first(pair)))
			return -1;
	return ignore_list(r, r->plan->replaced);
}

int rebind_ignore_ours(struct rebind *r)
{
	const struct shadow *s = r->plan->shadow;

	if (rebind_ignore(r, r->keys) || ignore_replaced(r) || note_writes(r) ||
	    history_visit(r->plan->job, ignore_record, r))
		return -1;
	for (size_t i = 0; i < r->plan->class_count; i++)
		if (rebind_ignore(r, r->plan->classes[i].binds))
			return -1;
	if (!s->hook)
		return 0;
	if (rebind_ignore(r, s->hook) || rebind_ignore(r, s->builtins) ||
	    ignore_list(r, s->shadows) || ignore_list(r, s->classes) ||
	    ignore_list(r, s->made) || ignore_list(r, s->clones) ||
	    rebind_ignore(r, PyDict_GetItemString(s->hook, "shadows")))
		return -1;
	PyObject *pair;
	for (Py_ssize_t i = 0; (pair = py_item(s->shadows, i)); i++) {
		PyObject *shadow = py_first(pair);
		if (rebind_ignore(r, shadow) || rebind_ignore(r, PyModule_GetDict(shadow)))
			return -1;
	}
	return 0;
}
