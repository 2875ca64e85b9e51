/* SPDX-License-Identifier: MIT
 *
 * The names of changed modules: bound anew, added, removed.
 */
#include "payload/base/freestanding.h"
#include "payload/diff/names_gone.h"
#include "payload/job/note.h"
#include "payload/plan/annotations.h"
#include "payload/plan/plan.h"

/* `value` is what it is bound to afterwards, or was; of what is lost, what it was. */
static void report(struct plan *p, const struct module *m, PyObject *name, PyObject *value,
		   enum wire_action action)
{
	if (!annotations_is_hidden(name))
		note_name(p->job, m, name, value, note_kind_of(value), action);
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

static int bind(struct plan *p, const struct module *m, PyObject *name, PyObject *value)
{
	PyObject *wanted = plan_stand_in(p, value);
	PyObject *now = PyDict_GetItem(m->live, name);

	/* A submodule that was imported meanwhile: settle_loaded() puts it there. */
	if (now == wanted || (!now && names_is_submodule(&p->job->world, m, name, value)))
		return 0;
	/* A script runs in a copy: what it did not bind anew is the program's to change. */
	if (m->before && PyDict_GetItem(m->before, name) == PyDict_GetItem(m->fresh, name))
		return 0;
	int is_everywhere = now && plan_stand_in(p, now) == wanted;
	/* A class that migrates is reported as such. */
	if (!is_everywhere || !world_is_class(wanted))
		report_binding(p, m, name, now, wanted);
	if (plan_write(p, WRITE_ITEM, m->live, name, wanted))
		return -1;
	struct replaced_name replaced = {
		.module = m, .name = name, .old = now, .value = wanted};
	return now && !is_everywhere ? adopt_importers(p, &replaced) : 0;
}

static int remove_names(struct plan *p, const struct module *m)
{
	_cleanup_py_ PyObject *gone = names_gone(&p->job->world, m);
	PyObject *name;

	for (Py_ssize_t i = 0; (name = py_item(gone, i)); i++) {
		report(p, m, name, PyDict_GetItem(m->live, name), WIRE_ACTION_REMOVED);
		if (plan_write(p, WRITE_ITEM, m->live, name, NULL))
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
	PyObject *name, *value;
	Py_ssize_t at = 0;

	while (PyDict_Next(m->binds, &at, &name, &value))
		if (world_is_str(name) && !module_is_import_name(name) &&
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
	PyObject *item;

	for (Py_ssize_t i = 0; builtins && (item = py_item(p->shadow->loaded, i)); i++) {
		PyObject *module = py_second(item);
		if (world_is_module(module) &&
		    !writes_add(&p->writes, WRITE_ITEM, PyModule_GetDict(module), builtins,
				w->builtins))
			return -1;
	}
	PyObject *pair;
	for (Py_ssize_t i = 0; builtins && (pair = py_item(p->shadow->shadows, i)); i++) {
		PyObject *live = shadow_live_dict(pair), *name, *value;
		Py_ssize_t at = 0;
		while (PyDict_Next(PyModule_GetDict(py_first(pair)), &at, &name, &value))
			if (world_is_module(value) && !PyDict_GetItem(live, name) &&
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
