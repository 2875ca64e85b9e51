/* SPDX-License-Identifier: MIT
 *
 * The kept class (the old one, or the donor where it migrates) gets its attributes and bases.
 */
#include "payload/base/freestanding.h"
#include "payload/job/note.h"
#include "payload/job/walk.h"
#include "payload/plan/annotations.h"
#include "payload/plan/plan.h"
#include "payload/python/class_maker.h"
#include "payload/python/code.h"
#include "payload/python/compare.h"

static int write_attributes(struct plan *p, const struct class_pair *pair, PyObject *kept,
			    PyObject *current)
{
	const struct world *w = &p->job->world;
	PyObject *key, *value;
	Py_ssize_t at = 0;

	while (PyDict_Next(pair->binds, &at, &key, &value)) {
		PyObject *now = PyDict_GetItem(current, key);
		PyObject *wanted = plan_stand_in(p, value);
		if (now && (now == wanted || compare_constants(w, now, wanted)))
			continue;
		if (plan_write_attribute(p, kept, key, wanted))
			return -1;
	}
	return 0;
}

static int is_dunder(PyObject *name)
{
	const char *text = py_text(name);
	size_t length = text ? strlen(text) : 0;

	return length > 4 && text[0] == '_' && text[1] == '_' && text[length - 1] == '_' &&
	       text[length - 2] == '_';
}

static int is_part_of_every_type(PyObject *name)
{
	return compare_is_name(name, "__dict__ __weakref__ __module__ __doc__ "
				     "__abstractmethods__ __annotations_cache__ _abc_impl");
}

/* The names that the class's body binds in the module's code, as a set; NULL without exception
 * when unknown. */
static PyObject *names_of_body(struct plan *p, const struct class_pair *pair,
			       PyObject *module_code)
{
	const struct world *w = &p->job->world;

	if (!module_code)
		return NULL;
	_cleanup_py_ PyObject *qualname = world_qualname(pair->old);
	_cleanup_py_ PyObject *code = qualname ? code_find(module_code, qualname) : NULL;
	_cleanup_py_ PyObject *names = code ? PySet_New(NULL) : NULL;
	if (!names || code_stored_names(w, code, names)) {
		PyErr_Clear();
		return NULL;
	}
	return py_take(&names);
}

/* Did the old source, not somebody at run time, put this attribute there? */
static int is_from_source(struct plan *p, const struct class_pair *pair, PyObject *old_names,
			  PyObject *name, PyObject *value)
{
	const struct world *w = &p->job->world;

	if ((is_dunder(name) && !pair->is_part) ||
	    (old_names && PySet_Contains(old_names, name) == 1))
		return 1;
	return walk_is_definition(w, pair->module, name, value) == 1;
}

static int remove_attributes(struct plan *p, const struct class_pair *pair, PyObject *kept,
			     PyObject *current)
{
	const struct world *w = &p->job->world;
	_cleanup_py_ PyObject *old_names =
		pair->module->old_code || py_is_a(pair->old, w->enum_type)
			? names_of_body(p, pair, pair->module->old_code)
			: class_maker_body_names(w, current);
	_cleanup_py_ PyObject *new_names =
		pair->is_part ? names_of_body(p, pair, pair->module->code) : NULL;
	PyObject *members = PyDict_GetItemString(current, "_member_map_"); /* of an enum */
	PyObject *key, *value;
	Py_ssize_t at = 0;

	if (pair->is_part && !new_names)
		return 0;
	while (PyDict_Next(current, &at, &key, &value)) {
		if (py_is_a(members, w->dict) && PyDict_GetItem(members, key))
			continue;
		if (!world_is_str(key) || PyDict_GetItem(pair->binds, key) ||
		    (new_names && PySet_Contains(new_names, key) == 1) ||
		    py_is(value, w->member_descriptor) || py_is(value, w->getset_descriptor) ||
		    is_part_of_every_type(key) ||
		    !is_from_source(p, pair, old_names, key, value))
			continue;
		if (plan_write_attribute(p, kept, key, NULL))
			return -1;
	}
	return 0;
}

int adopt_bases(struct plan *p, PyObject *class, PyObject *like)
{
	_cleanup_py_ PyObject *bases = plan_bases(p, like);
	_cleanup_py_ PyObject *current = world_bases(class);

	if (!bases || !current)
		return -1;
	int differs = PyTuple_Size(bases) != PyTuple_Size(current);
	PyObject *item;
	for (Py_ssize_t i = 0; !differs && (item = py_tuple_item(bases, i)); i++)
		differs = item != PyTuple_GetItem(current, i);
	return differs ? plan_write(p, WRITE_BASES, class, NULL, bases) : 0;
}

/* As the source has it, where its body was compared: 3.13 writes line numbers and the like into
 * each class. */
static int is_redefined(const struct class_pair *pair, PyObject *name, int is_written)
{
	const struct module *m = pair->module;

	if (!m || !m->kept || !PyDict_GetItem(m->kept, name))
		return is_written;
	return PySet_Contains(m->redefined, name) == 1;
}

static int report(struct plan *p, const struct class_pair *pair, size_t writes_before)
{
	_cleanup_py_ PyObject *name = world_qualname(pair->old);

	if (!pair->module || !name)
		return 0; /* of its instances is told */
	if (!pair->is_migrating &&
	    (!is_redefined(pair, name, p->writes.count != writes_before)))
		return 0;
	note_name(p->job, pair->module, name, NULL, WIRE_RECORD_CLASS,
		  pair->is_migrating ? WIRE_ACTION_MIGRATED : WIRE_ACTION_CHANGED);
	return note_methods(p->job, pair->module, pair->old);
}

static int adopt_class(struct plan *p, struct class_pair *pair)
{
	const struct world *w = &p->job->world;
	PyObject *kept = pair->is_migrating ? pair->donor : pair->old;
	_cleanup_py_ PyObject *current = world_type_dict(w, kept);
	size_t before = p->writes.count;

	if (!current)
		return -1;
	if (py_is_a(pair->old, w->enum_type) &&
	    (pair->is_migrating ? adopt_enum_moved(p, pair) : adopt_enum(p, pair)))
		return -1;
	if (write_attributes(p, pair, kept, current) ||
	    (!pair->is_part && adopt_bases(p, kept, pair->donor)) ||
	    ((pair->is_part || !pair->is_migrating) &&
	     remove_attributes(p, pair, kept, current)) ||
	    (!pair->is_migrating &&
	     annotations_drop_of_class(p, kept, current, pair->is_part ? NULL : pair->binds)))
		return -1;
	return report(p, pair, before);
}

int adopt_classes(struct plan *p)
{
	for (size_t i = 0; i < p->class_count; i++)
		if (adopt_class(p, &p->classes[i]))
			return -1;
	return 0;
}
