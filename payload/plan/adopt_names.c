/* SPDX-License-Identifier: MIT
 *
 * The names of changed modules: bound anew, added, removed.
 */
#include "payload/base/freestanding.h"
#include "payload/job/note.h"
#include "payload/job/walk.h"
#include "payload/plan/annotations.h"
#include "payload/plan/plan.h"
#include "payload/python/code.h"
#include "payload/python/compare.h"

/* `value` is what it is bound to afterwards, or was; of what is lost, what it was. */
static void report(struct plan *p, const struct module *m, PyObject *name, PyObject *value,
		   enum wire_action action)
{
	if (!annotations_is_hidden(name))
		note_name(p->job, m, name, value,
			  &(struct reply_item){.kind = note_kind_of(&p->job->world, value),
					       .action = action});
}

static void report_binding(struct plan *p, const struct module *m, PyObject *name,
			   PyObject *now, PyObject *wanted)
{
	const struct world *w = &p->job->world;

	if (!now)
		report(p, m, name, wanted, WIRE_ACTION_ADDED);
	else if (note_is_state(w, now))
		report(p, m, name, now, WIRE_ACTION_LOST);
	else
		report(p, m, name, wanted, WIRE_ACTION_CHANGED);
}

/* What the name is bound to after the commit; borrowed. */
static PyObject *value_after(const struct plan *p, const struct module *m, PyObject *name)
{
	PyObject *value = PyDict_GetItem(m->binds, name);

	return value ? plan_stand_in(p, value) : PyDict_GetItem(m->live, name);
}

/* Does a star import bring it? Where there is an __all__ that is its change to tell. */
static int is_exported(const struct plan *p, const struct module *m, PyObject *name)
{
	_cleanup_py_ PyObject *all = PyUnicode_FromString("__all__");
	const char *text = PyUnicode_AsUTF8(name);

	PyErr_Clear();
	return all && !value_after(p, m, all) && text && text[0] != '_';
}

/* __all__ changed: all that it lists is there for those that import with a star. */
static int export(struct plan *p, const struct module *m, PyObject *all)
{
	const struct world *w = &p->job->world;
	_cleanup_py_ PyObject *names =
		py_is(all, w->list) || py_is(all, w->tuple) ? PySequence_List(all) : NULL;

	for (Py_ssize_t i = 0; names && i < PyList_Size(names); i++) {
		PyObject *name = PyList_GetItem(names, i);
		PyObject *value = py_is(name, w->str) ? value_after(p, m, name) : NULL;
		struct replaced_name replaced = {.module = m, .name = name, .value = value};
		if (value && adopt_importers(p, &replaced))
			return -1;
	}
	return 0;
}

/* A submodule that was imported meanwhile and did not change: settle_loaded() puts it there. */
static int is_submodule(const struct plan *p, const struct module *m, PyObject *name,
			PyObject *value)
{
	_cleanup_py_ PyObject *whole = PyUnicode_FromFormat("%U.%U", m->name, name);

	return whole && PyDict_GetItem(p->job->world.modules, whole) == value;
}

static int bind(struct plan *p, const struct module *m, PyObject *name, PyObject *value)
{
	PyObject *wanted = plan_stand_in(p, value);
	PyObject *now = PyDict_GetItem(m->live, name);

	if (now == wanted || (!now && is_submodule(p, m, name, value)))
		return 0;
	/* A script runs in a copy: what it did not bind anew is the program's to change. */
	if (m->before && PyDict_GetItem(m->before, name) == PyDict_GetItem(m->fresh, name))
		return 0;
	/* A class that migrates is reported as such, and rebound wherever it is. */
	if (now && plan_stand_in(p, now) == wanted)
		return plan_write(p, WRITE_ITEM, m->live, name, wanted);
	report_binding(p, m, name, now, wanted);
	if (plan_write(p, WRITE_ITEM, m->live, name, wanted))
		return -1;
	struct replaced_name replaced = {
		.module = m, .name = name, .old = now, .value = wanted};
	if (!PyUnicode_CompareWithASCIIString(name, "__all__"))
		return export(p, m, wanted);
	return now || is_exported(p, m, name) ? adopt_importers(p, &replaced) : 0;
}

/* Without the old source: a function or class that was defined in this file under this name. */
static int is_definition(const struct world *w, const struct module *m, PyObject *name,
			 PyObject *value)
{
	_cleanup_py_ PyObject *own = NULL;

	if (py_is(value, w->function) && PyFunction_GetGlobals(value) == m->live)
		own = code_attribute(PyFunction_GetCode(value), "co_name");
	else if (walk_is_class_of(w, value, m->name))
		own = world_name(value);
	PyErr_Clear();
	return own && !PyUnicode_Compare(own, name);
}

/* The names that the old body bound, or NULL without exception. */
static PyObject *old_names(const struct world *w, const struct module *m)
{
	_cleanup_py_ PyObject *names = m->old_code ? PySet_New(NULL) : NULL;

	if (!names || code_stored_names(w, m->old_code, names)) {
		PyErr_Clear();
		return NULL;
	}
	return py_take(&names);
}

PyObject *adopt_names_gone(struct job *job, const struct module *m)
{
	const struct world *w = &job->world;
	_cleanup_py_ PyObject *bound_before = old_names(w, m), *bound_now = PySet_New(NULL);
	_cleanup_py_ PyObject *gone = PyList_New(0);
	PyObject *name, *value;
	Py_ssize_t at = 0;

	if (!bound_now || !gone || code_stored_names(w, m->code, bound_now))
		return NULL;
	while (PyDict_Next(m->live, &at, &name, &value)) {
		if (!py_is(name, w->str) || module_is_import_name(name) ||
		    (!m->before && m->fresh && PyDict_GetItem(m->fresh, name)) ||
		    PySet_Contains(bound_now, name) == 1)
			continue;
		if (bound_before ? PySet_Contains(bound_before, name) == 1
				 : is_definition(w, m, name, value))
			if (PyList_Append(gone, name))
				return NULL;
	}
	return py_take(&gone);
}

static int remove_names(struct plan *p, const struct module *m)
{
	_cleanup_py_ PyObject *gone = adopt_names_gone(p->job, m);

	for (Py_ssize_t i = 0; gone && i < PyList_Size(gone); i++) {
		PyObject *name = PyList_GetItem(gone, i);
		report(p, m, name, PyDict_GetItem(m->live, name), WIRE_ACTION_REMOVED);
		/* A module without docstring has None for it. */
		int is_doc = !PyUnicode_CompareWithASCIIString(name, "__doc__");
		if (plan_write(p, WRITE_ITEM, m->live, name,
			       is_doc ? p->job->world.none : NULL))
			return -1;
	}
	return gone ? 0 : -1;
}

/* The module is read from another file, or is a package now, or none any more. */
static int adopt_place(struct plan *p, const struct module *m)
{
	PyObject *name, *value;
	Py_ssize_t at = 0;

	while (PyDict_Next(m->place, &at, &name, &value)) {
		PyObject *wanted = value == p->job->world.none ? NULL : value;
		if (PyDict_GetItem(m->live, name) != wanted &&
		    plan_write(p, WRITE_ITEM, m->live, name, wanted))
			return -1;
	}
	return 0;
}

static int adopt_module(struct plan *p, const struct module *m)
{
	const struct world *w = &p->job->world;
	PyObject *name, *value;
	Py_ssize_t at = 0;

	while (PyDict_Next(m->binds, &at, &name, &value))
		if (py_is(name, w->str) && !module_is_import_name(name) &&
		    bind(p, m, name, value))
			return -1;
	return remove_names(p, m) || annotations_drop_of_module(p, m) ||
			       (m->place && adopt_place(p, m))
		       ? -1
		       : 0;
}

/* Modules that the run imported get the program's builtins, and their place in their package.
 * They stay imported when the attach is taken back, so these writes do, too. */
static int settle_loaded(struct plan *p)
{
	const struct world *w = &p->job->world;
	_cleanup_py_ PyObject *builtins = PyUnicode_FromString("__builtins__");

	for (Py_ssize_t i = 0; builtins && i < PyList_Size(p->shadow->loaded); i++) {
		PyObject *module = PyTuple_GetItem(PyList_GetItem(p->shadow->loaded, i), 1);
		if (world_is_module(w, module) &&
		    !writes_add(&p->writes, WRITE_ITEM, PyModule_GetDict(module), builtins,
				w->builtins))
			return -1;
	}
	for (Py_ssize_t i = 0; builtins && i < PyList_Size(p->shadow->shadows); i++) {
		PyObject *pair = PyList_GetItem(p->shadow->shadows, i);
		PyObject *live = shadow_live_dict(w, pair), *name, *value;
		Py_ssize_t at = 0;
		while (PyDict_Next(PyModule_GetDict(PyTuple_GetItem(pair, 0)), &at, &name,
				   &value))
			if (world_is_module(w, value) && !PyDict_GetItem(live, name) &&
			    plan_stand_in(p, value) == value &&
			    !writes_add(&p->writes, WRITE_ITEM, live, name, value))
				return -1;
	}
	return builtins ? 0 : -1;
}

int adopt_names(struct plan *p)
{
	for (size_t i = 0; i < p->job->modules.count; i++) {
		const struct module *m = &p->job->modules.items[i];
		if (m->fresh && adopt_module(p, m))
			return -1;
	}
	return p->shadow->loaded ? settle_loaded(p) : 0;
}
