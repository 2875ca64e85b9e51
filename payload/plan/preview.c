/* SPDX-License-Identifier: MIT
 *
 * The preview. It tells what the commit will write from what the statements bind and from the
 * code of old and new; values that new code makes are not known, so it may name a class or a
 * name that turns out the same. The invariant: an attach writes nothing that is not named here.
 */
#include "payload/plan/preview.h"

#include "payload/base/freestanding.h"
#include "payload/diff/names_gone.h"
#include "payload/job/note.h"
#include "payload/job/walk.h"
#include "payload/plan/annotations.h"
#include "payload/plan/plan.h"
#include "payload/python/code.h"
#include "payload/shadow/reload_hook.h"

#define NESTED_MAX 10

static int is_definition_entry(PyObject *entry)
{
	return py_number(entry, STATEMENT_IS_DEFINITION) != 0;
}

/* --- names ------------------------------------------------------------------------------- */

static int binds(PyObject *entry, PyObject *name)
{
	PyObject *names = PyTuple_GetItem(entry, STATEMENT_NAMES);
	PyObject *item;

	for (Py_ssize_t i = 0; (item = py_item(names, i)); i++)
		if (!PyUnicode_Compare(item, name))
			return 1;
	return 0;
}

/* A definition of the kind that `value` is: it stays, and takes what changed. */
static int is_adopted(const struct world *w, const struct module *m, PyObject *entry,
		      PyObject *name, PyObject *value)
{
	long kind = py_number(entry, STATEMENT_IS_DEFINITION);

	if (kind == WIRE_RECORD_CLASS)
		return walk_is_class_of(w, m, value);
	return kind && ((world_is_function(value) && PyFunction_GetGlobals(value) == m->live) ||
			py_get(m->inner, name));
}

/* Does a statement of the module bind the name anew? An import that only runs because a module
 * behind it changed is not asked. */
static int is_bound_anew(const struct world *w, const struct module *m, PyObject *name,
			 PyObject *value)
{
	if (py_get(m->refreshed, name) || module_is_superseded(m, name))
		return 0;
	PyObject *entry;
	for (Py_ssize_t i = 0; (entry = py_item(m->chosen, i)); i++) {
		if (binds(entry, name) && !is_adopted(w, m, entry, name, value))
			return 1;
	}
	return 0;
}

/* Wherever it comes from, the value is bound there to the name that the import says. */
static int is_rebound(const struct job *job, const struct module *importer, PyObject *name,
		      PyObject *value)
{
	PyObject *origin = py_get(importer->refreshed, name);

	if (!origin)
		return is_bound_anew(&job->world, importer, name, value);
	for (size_t i = 0; i < job->modules.count; i++) {
		const struct module *m = &job->modules.items[i];
		if (py_get(m->live, origin) == value &&
		    is_bound_anew(&job->world, m, origin, value))
			return 1;
	}
	return 0;
}

/* An import gives it again, unless it comes under another name. */
static int is_imported_again(const struct world *w, PyObject *name, PyObject *value)
{
	return world_is_module(value) && PyDict_GetItem(w->modules, name) == value;
}

static int preview_new(struct job *job, const struct module *m, PyObject *entry, PyObject *name)
{
	long kind = py_number(entry, STATEMENT_IS_DEFINITION);

	note_name(job, m, name, NULL, kind ? (enum wire_record_kind)kind : WIRE_RECORD_NAME,
		  WIRE_ACTION_ADDED);
	return 0;
}

static int preview_binding(struct job *job, const struct module *m, PyObject *entry,
			   PyObject *name, PyObject *codes)
{
	const struct world *w = &job->world;
	PyObject *now = PyDict_GetItem(m->live, name);
	long kind = py_number(entry, STATEMENT_IS_DEFINITION);

	if (annotations_is_hidden(name))
		return 0;
	if (!now)
		return preview_new(job, m, entry, name);
	if (module_is_superseded(m, name))
		return 0;
	int is_own = world_is_function(now) && PyFunction_GetGlobals(now) == m->live;
	/* The program gave it code that is not of the old source. */
	if (kind && is_own && !code_next(codes, PyFunction_GetCode(now)))
		return note_function(job, m, now, NULL);
	if (is_imported_again(w, name, now) || !is_rebound(job, m, name, now))
		return 0;
	/* A lambda, an alias: a function of ours takes what comes, under its own name, unless
	 * that is still there. One that was made by a call may be replaced instead: with what
	 * it closes over. */
	_cleanup_py_ PyObject *left = !kind && is_own ? merge_code_now(m, now) : NULL;
	_cleanup_py_ PyObject *own = left ? code_name(left) : NULL;
	is_own &= !own || !PyUnicode_Compare(own, name) || PyDict_GetItem(m->live, own) != now;
	if (!kind && is_own && note_function(job, m, now, NULL))
		return -1;
	if (!kind && is_own && !PyFunction_GetClosure(now))
		return 0;
	note_name(job, m, name, now, kind ? (enum wire_record_kind)kind : WIRE_RECORD_NAME,
		  note_is_state(w, now) ? WIRE_ACTION_LOST : WIRE_ACTION_CHANGED);
	return 0;
}

static int preview_bindings(struct job *job, const struct module *m, PyObject *codes)
{
	PyObject *entry;
	for (Py_ssize_t i = 0; (entry = py_item(m->chosen, i)); i++) {
		PyObject *names = PyTuple_GetItem(entry, STATEMENT_NAMES);
		PyObject *item;
		for (Py_ssize_t k = 0; (item = py_item(names, k)); k++)
			if (preview_binding(job, m, entry, item, codes))
				return -1;
	}
	return 0;
}

static int preview_removals(struct job *job, const struct module *m)
{
	_cleanup_py_ PyObject *gone = names_gone(&job->world, m);
	PyObject *name;

	for (Py_ssize_t i = 0; (name = py_item(gone, i)); i++) {
		PyObject *value = PyDict_GetItem(m->live, name);
		if (annotations_is_hidden(name))
			continue;
		note_name(job, m, name, value, note_kind_of(value), WIRE_ACTION_REMOVED);
	}
	return gone ? 0 : -1;
}

/* --- functions and classes --------------------------------------------------------------- */

/* Without the old code a function is told by its name, if none of them is what it was. */
static int pair_by_name(struct job *job, const struct module *m, PyObject *steps)
{
	const struct world *w = &job->world;
	_cleanup_py_ PyObject *found = PyList_New(0);

	if (!found || walk_functions(w, m->live, m->live, m->name, found))
		return -1;
	PyObject *function;
	for (Py_ssize_t i = 0; (function = py_item(found, i)); i++) {
		PyObject *code = PyFunction_GetCode(function);
		_cleanup_py_ PyObject *new = merge_code_now(m, function);
		if (code_pair_moved(w, m->code, function, steps))
			return -1;
		if (new && !PyDict_GetItem(steps, code) && PyDict_SetItem(steps, code, new))
			return -1;
	}
	return 0;
}

/* The definition that binds `name`, when it runs. Borrowed; NULL without exception. */
static PyObject *definition_of(const struct module *m, PyObject *name)
{
	PyObject *entry;
	for (Py_ssize_t i = 0; (entry = py_item(m->chosen, i)); i++) {
		if (is_definition_entry(entry) && binds(entry, name))
			return entry;
	}
	return NULL;
}

/* Statement by statement, where the body was compared; what is in it, with it. */
static int is_redefined(const struct module *m, PyObject *qualname, int is_outer_unknown)
{
	if (py_get(m->kept, qualname))
		return m->redefined && PySet_Contains(m->redefined, qualname) == 1;
	return is_outer_unknown;
}

static void preview_class(struct job *job, const struct module *m, PyObject *class, int depth,
			  int is_outer_unknown)
{
	const struct world *w = &job->world;
	_cleanup_py_ PyObject *qualname = world_qualname(class);
	_cleanup_py_ PyObject *inside = world_type_dict(w, class);
	int is_unknown = is_outer_unknown && qualname && !py_get(m->kept, qualname);
	PyObject *name, *value;
	Py_ssize_t at = 0;

	if (qualname && is_redefined(m, qualname, is_outer_unknown)) {
		note_name(job, m, qualname, NULL, WIRE_RECORD_CLASS, WIRE_ACTION_CHANGED);
		(void)note_methods(job, m, class);
	}
	while (inside && depth < NESTED_MAX && PyDict_Next(inside, &at, &name, &value))
		if (walk_is_class_of(w, m, value))
			preview_class(job, m, value, depth + 1, is_unknown);
	PyErr_Clear();
}

static void preview_classes(struct job *job, const struct module *m)
{
	PyObject *name, *value;
	Py_ssize_t at = 0;

	while (PyDict_Next(m->live, &at, &name, &value))
		if (walk_is_class_of(&job->world, m, value) && definition_of(m, name))
			preview_class(job, m, value, 0, 1);
}

/* The whole body runs (--rerun): each name that it binds, as if by a statement of its own. */
static int choose_all(struct job *job, struct module *m)
{
	_cleanup_py_ PyObject *names = PySet_New(NULL);
	_cleanup_py_ PyObject *list = NULL;

	if (!names || code_stored_names(&job->world, m->code, names))
		return -1;
	list = PySequence_List(names);
	m->chosen = PyList_New(0);
	PyObject *name;
	for (Py_ssize_t i = 0; m->chosen && (name = py_item(list, i)); i++) {
		PyObject *now = PyDict_GetItem(m->live, name);
		enum wire_record_kind kind = now ? note_kind_of(now) : WIRE_RECORD_NAME;
		_cleanup_py_ PyObject *entry = Py_BuildValue(
			"(ii[O])", 0, kind == WIRE_RECORD_NAME ? 0 : (int)kind, name);
		if (py_append(m->chosen, entry))
			return -1;
	}
	return list && m->chosen ? 0 : -1;
}

static void preview_hook(struct job *job, const struct module *m)
{
	if (reload_hook_is_in_source(&job->world, m) > 0)
		job_note(job,
			 &(struct reply_item){.kind = WIRE_RECORD_WARNING,
					      .wording = WIRE_TEXT_HOOK_IS_CALLED,
					      .name = "__reload__"},
			 m);
	PyErr_Clear();
}

int preview_module(struct job *job, struct module *m, PyObject *codes)
{
	PyObject *steps = code_steps(codes, m->old_file);

	if (!steps || note_module(job, m) ||
	    (m->old_code && code_pair(&job->world, m->old_code, m->code, steps)))
		return -1;
	if (m->is_moved)
		return note_functions(job, m, codes);
	if ((!m->old_code && pair_by_name(job, m, steps)) || (!m->chosen && choose_all(job, m)))
		return -1;
	preview_hook(job, m);
	preview_classes(job, m);
	return preview_bindings(job, m, codes) || note_functions(job, m, codes) ||
			       preview_removals(job, m)
		       ? -1
		       : 0;
}
