/* SPDX-License-Identifier: MIT
 *
 * The preview. It tells what the commit will write from what the statements bind and from the
 * code of old and new; values that new code makes are not known, so it may name a class or a
 * name that turns out the same. The invariant: an attach writes nothing that is not named here.
 */
#include "payload/preview.h"

#include "payload/code.h"
#include "payload/digest.h"
#include "payload/freestanding.h"
#include "payload/plan.h"
#include "payload/walk.h"

#define STATEMENT_TEXT_MAX 72
#define NESTED_MAX         10

/* --- records ----------------------------------------------------------------------------- */

static enum wire_record_kind kind_of(const struct world *w, PyObject *value)
{
	return py_is(value, w->function)  ? WIRE_RECORD_FUNCTION
	       : world_is_class(w, value) ? WIRE_RECORD_CLASS
					  : WIRE_RECORD_NAME;
}

/* How many items a container has; nothing of the program is asked. */
static uint64_t size_of(const struct world *w, PyObject *o)
{
	if (py_is_a(o, w->dict))
		return (uint64_t)PyDict_Size(o);
	if (py_is_a(o, w->list))
		return (uint64_t)PyList_Size(o);
	if (py_is_a(o, w->tuple))
		return (uint64_t)PyTuple_Size(o);
	return py_is_a(o, w->set) ? (uint64_t)PySet_Size(o) : 0;
}

/* A name and what it is bound to now, which may be nothing. */
static void note_name(struct job *job, const struct module *m, PyObject *name, PyObject *value,
		      const struct reply_item *item)
{
	struct reply_item complete = *item;
	_cleanup_py_ PyObject *type =
		value ? world_type_attribute(py_type(value), "__name__") : NULL;

	complete.name = PyUnicode_AsUTF8(name);
	complete.text = type ? PyUnicode_AsUTF8(type) : NULL;
	complete.value = value ? size_of(&job->world, value) : 0;
	job_note(job, &complete, m);
	PyErr_Clear();
}

/* --- statements and state ---------------------------------------------------------------- */

/* The first line of the statement, as far as it fits. */
static PyObject *line_text(const struct module *m, long line)
{
	Py_ssize_t size, length = 0;
	char *at;

	if (PyBytes_AsStringAndSize(m->source, &at, &size))
		return NULL;
	for (; line > 1 && size; at++, size--)
		line -= *at == '\n';
	while (length < size && at[length] != '\n' && at[length] != '\r')
		length++;
	_cleanup_py_ PyObject *text = PyUnicode_DecodeUTF8(at, length, "replace");
	return text ? PyUnicode_Substring(text, 0, STATEMENT_TEXT_MAX) : NULL;
}

static void note_statement(struct job *job, const struct module *m, PyObject *entry)
{
	long line = PyLong_AsLong(PyTuple_GetItem(entry, STATEMENT_LINE));
	_cleanup_py_ PyObject *text = line_text(m, line);

	job_note(job,
		 &(struct reply_item){.kind = WIRE_RECORD_STATEMENT,
				      .action = WIRE_ACTION_CHANGED,
				      .line = (uint32_t)line,
				      .text = text ? PyUnicode_AsUTF8(text) : NULL},
		 m);
	PyErr_Clear();
}

/* What can change under a name without the name being bound anew. */
static int is_state(const struct world *w, PyObject *value)
{
	PyObject *builtin_function = py_type(w->get_objects);
	PyObject *const others[] = {w->function, w->integer,   w->str,          w->bytes,
				    w->real,     w->boolean,   w->tuple,        w->complex,
				    w->method,   w->frozenset, builtin_function};

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (py_is(value, others[i]))
			return 0;
	return value != w->none && !world_is_class(w, value) && !world_is_module(w, value);
}

static int is_definition_entry(PyObject *entry)
{
	return PyLong_AsLong(PyTuple_GetItem(entry, STATEMENT_IS_DEFINITION)) != 0;
}

static void preview_statements(struct job *job, const struct module *m)
{
	for (Py_ssize_t i = 0; m->chosen && i < PyList_Size(m->chosen); i++) {
		PyObject *entry = PyList_GetItem(m->chosen, i);
		if (!is_definition_entry(entry) &&
		    PyLong_AsLong(PyTuple_GetItem(entry, STATEMENT_LINE)))
			note_statement(job, m, entry);
	}
	for (Py_ssize_t i = 0; m->stays && i < PyList_Size(m->stays); i++) {
		PyObject *name = PyList_GetItem(m->stays, i);
		PyObject *value = PyDict_GetItem(m->live, name);
		if (value && is_state(&job->world, value))
			note_name(job, m, name, value,
				  &(struct reply_item){.kind = WIRE_RECORD_NAME,
						       .action = WIRE_ACTION_KEPT});
	}
	PyErr_Clear();
}

/* --- names ------------------------------------------------------------------------------- */

static void preview_binding(struct job *job, const struct module *m, PyObject *entry,
			    PyObject *name)
{
	const struct world *w = &job->world;
	PyObject *now = PyDict_GetItem(m->live, name);
	struct reply_item item = {.kind = now ? kind_of(w, now) : WIRE_RECORD_NAME,
				  .action = !now               ? WIRE_ACTION_ADDED
					    : is_state(w, now) ? WIRE_ACTION_LOST
							       : WIRE_ACTION_CHANGED};

	if (now && world_is_module(w, now))
		return; /* an import gives it again */
	if (is_definition_entry(entry)) {
		if (now && item.kind != WIRE_RECORD_NAME)
			return; /* takes the definition in place, if that is what it was */
		item.kind = (enum wire_record_kind)PyLong_AsLong(
			PyTuple_GetItem(entry, STATEMENT_IS_DEFINITION));
	}
	/* A lambda takes the new definition in place, under its own name. */
	_cleanup_py_ PyObject *qualname = item.kind == WIRE_RECORD_FUNCTION &&
							  item.action == WIRE_ACTION_CHANGED &&
							  PyFunction_GetGlobals(now) == m->live
						  ? PyObject_GetAttrString(now, "__qualname__")
						  : NULL;
	note_name(job, m, qualname ? qualname : name, now, &item);
}

static void preview_bindings(struct job *job, const struct module *m)
{
	for (Py_ssize_t i = 0; m->chosen && i < PyList_Size(m->chosen); i++) {
		PyObject *entry = PyList_GetItem(m->chosen, i);
		PyObject *names = PyTuple_GetItem(entry, STATEMENT_NAMES);
		for (Py_ssize_t k = 0; k < PyList_Size(names); k++)
			preview_binding(job, m, entry, PyList_GetItem(names, k));
	}
}

static int preview_removals(struct job *job, const struct module *m)
{
	_cleanup_py_ PyObject *gone = adopt_names_gone(job, m);

	for (Py_ssize_t i = 0; gone && i < PyList_Size(gone); i++) {
		PyObject *name = PyList_GetItem(gone, i);
		PyObject *value = PyDict_GetItem(m->live, name);
		note_name(job, m, name, value,
			  &(struct reply_item){.kind = kind_of(&job->world, value),
					       .action = WIRE_ACTION_REMOVED});
	}
	return gone ? 0 : -1;
}

/* --- functions and classes --------------------------------------------------------------- */

static PyObject *new_code_of(const struct world *w, const struct module *m, PyObject *function,
			     PyObject *codes)
{
	PyObject *new = PyDict_GetItem(codes, PyFunction_GetCode(function));
	_cleanup_py_ PyObject *qualname = PyObject_GetAttrString(function, "__qualname__");

	PyErr_Clear();
	if (new || m->old_code || !qualname || !py_is(qualname, w->str))
		return py_ref(new);
	return code_find(w, m->code, qualname);
}

/* The definition that binds `name`, when it runs. Borrowed; NULL without exception. */
static PyObject *definition_of(const struct module *m, PyObject *name)
{
	for (Py_ssize_t i = 0; m->chosen && i < PyList_Size(m->chosen); i++) {
		PyObject *entry = PyList_GetItem(m->chosen, i);
		PyObject *names = PyTuple_GetItem(entry, STATEMENT_NAMES);
		for (Py_ssize_t k = 0; k < PyList_Size(names); k++)
			if (is_definition_entry(entry) &&
			    !PyUnicode_Compare(PyList_GetItem(names, k), name))
				return entry;
	}
	return NULL;
}

/* Defaults, decorators, annotations. */
static int differs_around(const struct module *m, PyObject *name)
{
	PyObject *entry = definition_of(m, name);

	return entry && !PyLong_AsLong(PyTuple_GetItem(entry, STATEMENT_IS_CODE_ALONE));
}

static int preview_function(struct job *job, const struct module *m, PyObject *function,
			    PyObject *codes)
{
	const struct world *w = &job->world;
	PyObject *code = PyFunction_GetCode(function);
	_cleanup_py_ PyObject *new = new_code_of(w, m, function, codes);
	_cleanup_py_ PyObject *name = PyObject_GetAttrString(function, "__qualname__");
	int same = new ? code_is_same(w, code, new) : 1;

	if (PyErr_Occurred() || !name || same < 0)
		return -1;
	if (same && !differs_around(m, name))
		return 0;
	if (new &&PyDict_SetItem(codes, code, new))
		return -1;
	_cleanup_py_ PyObject *line = new ? code_attribute(new, "co_firstlineno") : NULL;
	job_note(job,
		 &(struct reply_item){.kind = WIRE_RECORD_FUNCTION,
				      .action = WIRE_ACTION_CHANGED,
				      .name = PyUnicode_AsUTF8(name),
				      .line = line ? (uint32_t)PyLong_AsLong(line) : 0},
		 m);
	return 0;
}

static int preview_functions(struct job *job, const struct module *m, PyObject *codes)
{
	_cleanup_py_ PyObject *found = PyList_New(0);

	if (!found || walk_functions(&job->world, m->live, m->live, m->name, found))
		return -1;
	for (Py_ssize_t i = 0; i < PyList_Size(found); i++)
		if (preview_function(job, m, PyList_GetItem(found, i), codes))
			return -1;
	return 0;
}

static void preview_class(struct job *job, const struct module *m, PyObject *class, int depth)
{
	const struct world *w = &job->world;
	_cleanup_py_ PyObject *qualname = world_type_attribute(class, "__qualname__");
	_cleanup_py_ PyObject *inside = world_type_dict(w, class);
	PyObject *name, *value;
	Py_ssize_t at = 0;

	if (qualname)
		note_name(job, m, qualname, NULL,
			  &(struct reply_item){.kind = WIRE_RECORD_CLASS,
					       .action = WIRE_ACTION_CHANGED});
	while (inside && depth < NESTED_MAX && PyDict_Next(inside, &at, &name, &value))
		if (walk_is_class_of(w, value, m->name))
			preview_class(job, m, value, depth + 1);
	PyErr_Clear();
}

static void preview_classes(struct job *job, const struct module *m)
{
	PyObject *name, *value;
	Py_ssize_t at = 0;

	while (PyDict_Next(m->live, &at, &name, &value))
		if (walk_is_class_of(&job->world, value, m->name) && definition_of(m, name))
			preview_class(job, m, value, 0);
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
	for (Py_ssize_t i = 0; list && m->chosen && i < PyList_Size(list); i++) {
		PyObject *name = PyList_GetItem(list, i);
		PyObject *now = PyDict_GetItem(m->live, name);
		enum wire_record_kind kind = now ? kind_of(&job->world, now) : WIRE_RECORD_NAME;
		_cleanup_py_ PyObject *entry = Py_BuildValue(
			"(ii[O]i)", 0, kind == WIRE_RECORD_NAME ? 0 : (int)kind, name, 1);
		if (!entry || PyList_Append(m->chosen, entry))
			return -1;
	}
	return list && m->chosen ? 0 : -1;
}

int preview_module(struct job *job, struct module *m, PyObject *codes)
{
	char digest[DIGEST_HEX_SIZE];

	digest_bytes(digest, m->source);
	job_note(job,
		 &(struct reply_item){.kind = WIRE_RECORD_MODULE,
				      .action = WIRE_ACTION_CHANGED,
				      .name = digest,
				      .text = PyUnicode_AsUTF8(m->file)},
		 m);
	if (m->old_code && code_pair(&job->world, m->old_code, m->code, codes))
		return -1;
	if (m->is_moved)
		return 0;
	if (!m->chosen && choose_all(job, m))
		return -1;
	preview_statements(job, m);
	preview_classes(job, m);
	preview_bindings(job, m);
	return preview_functions(job, m, codes) || preview_removals(job, m) ? -1 : 0;
}
