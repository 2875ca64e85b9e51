/* SPDX-License-Identifier: MIT
 *
 * What rebinding must not look into: the containers of this attach and of the record, and what
 * will die with the donors.
 */
#include "payload/freestanding.h"
#include "payload/history.h"
#include "payload/rebind.h"

int rebind_ignore(struct rebind *r, PyObject *o)
{
	return o ? pointer_map_set(&r->ignore, o, o) : 0;
}

static int ignore_list(struct rebind *r, PyObject *list)
{
	for (Py_ssize_t i = 0; i < PyList_Size(list); i++)
		if (rebind_ignore(r, PyList_GetItem(list, i)))
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

static int ignore_record(void *context, PyObject *o)
{
	return rebind_ignore(context, o);
}

/* What a class is made of besides its namespace changes with __bases__, not by us. */
int rebind_ignore_ancestry(struct rebind *r, PyObject *class)
{
	_cleanup_py_ PyObject *mro = world_type_attribute(class, "__mro__");
	_cleanup_py_ PyObject *bases = world_type_attribute(class, "__bases__");

	return mro && bases && !rebind_ignore(r, mro) && !rebind_ignore(r, bases) ? 0 : -1;
}

/* A class that nobody will use: its own namespace refers to it, and shall. */
static int ignore_class(struct rebind *r, PyObject *class)
{
	_cleanup_py_ PyObject *proxy = py_call(r->world->dict_of_type, class);
	_cleanup_py_ PyObject *inside = proxy ? py_call(r->world->get_referents, proxy) : NULL;

	if (!inside || rebind_ignore(r, class) || rebind_ignore_ancestry(r, class))
		return -1;
	for (Py_ssize_t i = 0; i < PyList_Size(inside); i++)
		if (rebind_ignore(r, PyList_GetItem(inside, i)))
			return -1;
	return 0;
}

/* What dies with the donors, and the modules' namespaces while they are made. */
int rebind_ignore_donors(struct rebind *r)
{
	struct plan *p = r->plan;
	const struct pointer_entry *entry;
	size_t at = 0;

	while ((entry = pointer_map_next(&p->stand_in, &at)))
		if (world_is_class(r->world, entry->key) && ignore_class(r, entry->key))
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

int rebind_ignore_ours(struct rebind *r)
{
	const struct shadow *s = r->plan->shadow;

	if (rebind_ignore(r, r->keys) || history_visit(r->plan->job, ignore_record, r))
		return -1;
	for (size_t i = 0; i < r->plan->class_count; i++)
		if (rebind_ignore(r, r->plan->classes[i].binds))
			return -1;
	if (!s->hook)
		return 0;
	if (rebind_ignore(r, s->hook) || rebind_ignore(r, s->builtins) ||
	    ignore_list(r, s->shadows) || ignore_list(r, s->classes) ||
	    ignore_list(r, s->made) ||
	    rebind_ignore(r, PyDict_GetItemString(s->hook, "shadows")))
		return -1;
	for (Py_ssize_t i = 0; i < PyList_Size(s->shadows); i++) {
		PyObject *pair = PyList_GetItem(s->shadows, i);
		PyObject *shadow = PyTuple_GetItem(pair, 0);
		if (rebind_ignore(r, shadow) || rebind_ignore(r, PyModule_GetDict(shadow)))
			return -1;
	}
	return 0;
}
