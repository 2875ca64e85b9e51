/* SPDX-License-Identifier: MIT
 *
 * Records about a changed module. The invariant: nothing of the program's is asked; a value is
 * told by its type, and by how many items a builtin container holds.
 */
#include "payload/job/note.h"

#include "payload/base/digest.h"
#include "payload/base/freestanding.h"
#include "payload/job/walk.h"
#include "payload/python/code.h"

#define STATEMENT_TEXT_MAX 72

enum wire_record_kind note_kind_of(PyObject *value)
{
	return world_is_function(value) ? WIRE_RECORD_FUNCTION
	       : world_is_class(value)  ? WIRE_RECORD_CLASS
					: WIRE_RECORD_NAME;
}

uint64_t note_size(const struct world *w, PyObject *o)
{
	if (py_is_a(o, w->dict))
		return (uint64_t)PyDict_Size(o);
	if (py_is_a(o, w->list))
		return (uint64_t)PyList_Size(o);
	if (py_is_a(o, w->tuple))
		return (uint64_t)PyTuple_Size(o);
	return py_is_a(o, w->set) ? (uint64_t)PySet_Size(o) : 0;
}

void note_name(struct job *job, const struct module *m, PyObject *name, PyObject *value,
	       enum wire_record_kind kind, enum wire_action action)
{
	_cleanup_py_ PyObject *type = value ? world_name(py_type(value)) : NULL;

	job_note(job,
		 &(struct reply_item){.kind = kind,
				      .action = action,
				      .name = py_text(name),
				      .text = py_text(type),
				      .value = value ? note_size(&job->world, value) : 0},
		 m);
	PyErr_Clear();
}

/* A wrapper holds a function, which is told of under its own name. */
static int is_wrapper(const struct world *w, PyObject *value)
{
	_cleanup_py_ PyObject *inside = walk_inside(w, value);

	PyErr_Clear();
	return py_count(inside) > 0;
}

int note_is_state(const struct world *w, PyObject *value)
{
	PyObject *builtin_function = py_type(w->get_objects);
	PyObject *const others[] = {w->function, w->integer,   w->str,          w->bytes,
				    w->real,     w->boolean,   w->tuple,        w->complex,
				    w->method,   w->frozenset, builtin_function};

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (py_is(value, others[i]))
			return 0;
	return value != w->none && !world_is_class(value) && !world_is_module(value) &&
	       !is_wrapper(w, value);
}

/* --- statements -------------------------------------------------------------------------- */

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
	long line = py_number(entry, STATEMENT_LINE);
	_cleanup_py_ PyObject *text = line_text(m, line);

	job_note(job,
		 &(struct reply_item){.kind = WIRE_RECORD_STATEMENT,
				      .action = WIRE_ACTION_CHANGED,
				      .line = (uint32_t)line,
				      .text = py_text(text)},
		 m);
	PyErr_Clear();
}

/* The names that statements bind which do not run, but not what these import: it is no state
 * of this module. New reference; NULL without exception. */
static PyObject *names_that_stay(const struct world *w, const struct module *m)
{
	_cleanup_py_ PyObject *names = PySet_New(m->bodies ? NULL : m->stays);

	if (!names || (m->bodies && code_stored_names(w, m->code, names)) ||
	    code_drop_imported(w, m->code, names))
		return NULL;
	_cleanup_py_ PyObject *list = PySequence_List(names);
	return list && !PyList_Sort(list) ? py_take(&list) : NULL;
}

static void note_kept(struct job *job, const struct module *m)
{
	_cleanup_py_ PyObject *names = names_that_stay(&job->world, m);
	PyObject *name;

	for (Py_ssize_t i = 0; (name = py_item(names, i)); i++) {
		PyObject *value = PyDict_GetItem(m->live, name);
		if (value && note_is_state(&job->world, value))
			note_name(job, m, name, value, WIRE_RECORD_NAME, WIRE_ACTION_KEPT);
	}
	PyErr_Clear();
}

/* Definitions are told of as what they define. */
static void note_statements(struct job *job, const struct module *m)
{
	PyObject *entry;
	for (Py_ssize_t i = 0; (entry = py_item(m->chosen, i)); i++) {
		if (!py_number(entry, STATEMENT_IS_DEFINITION) &&
		    py_number(entry, STATEMENT_LINE))
			note_statement(job, m, entry);
	}
}

/* --- functions --------------------------------------------------------------------------- */

/* What is nested in a function is a part of that; a lambda of the statement that it is in; the
 * function that 3.14 makes for annotations, of what is annotated. */
static int is_nested(PyObject *qualname)
{
	const char *text = py_text(qualname);
	const char *last = text;

	for (; text && *text && *text != '<'; text++)
		if (*text == '.')
			last = text + 1;
	return !text || *text || text_equal(last, "__annotate__");
}

/* As the source has it: functools.wraps() gives a function the qualified name of another, the
 * program may give it the code of another. */
static PyObject *qualname_of(PyObject *function)
{
	PyObject *code = PyFunction_GetCode(function);
	_cleanup_py_ PyObject *in_source = py_attribute(code, "co_qualname"); /* 3.11 */

	if (in_source && !is_nested(in_source))
		return py_take(&in_source);
	return PyObject_GetAttrString(function, "__qualname__");
}

static int note_named(struct job *job, const struct module *m, PyObject *name,
		      PyObject *new_code)
{
	if (PySet_Contains(m->told, name) == 1)
		return 0;
	long line = code_number(new_code, "co_firstlineno");
	job_note(job,
		 &(struct reply_item){.kind = WIRE_RECORD_FUNCTION,
				      .action = WIRE_ACTION_CHANGED,
				      .name = py_text(name),
				      .line = line > 0 ? (uint32_t)line : 0},
		 m);
	return PySet_Add(m->told, name);
}

int note_function(struct job *job, const struct module *m, PyObject *function,
		  PyObject *new_code)
{
	_cleanup_py_ PyObject *name = qualname_of(function);

	if (!world_is_str(name) || is_nested(name) ||
	    code_is_generated(PyFunction_GetCode(function)))
		return PyErr_Occurred() ? -1 : 0;
	return note_named(job, m, name, new_code);
}

static int note_if_changed(struct job *job, const struct module *m, PyObject *function,
			   PyObject *codes)
{
	PyObject *code = PyFunction_GetCode(function);
	PyObject *new = code_next(codes, code);
	_cleanup_py_ PyObject *name = qualname_of(function);
	int same = new ? code_is_same(&job->world, code, new) : 1;

	if (PyErr_Occurred() || !name || same < 0)
		return -1;
	if (same && !(m->redefined && PySet_Contains(m->redefined, name) == 1))
		return 0;
	return note_function(job, m, function, new);
}

/* Those that the module's names lead to, and those inside of decorated ones. */
static PyObject *functions_of(const struct world *w, const struct module *m)
{
	_cleanup_py_ PyObject *found = PyList_New(0);
	PyObject *qualname, *entry;
	Py_ssize_t at = 0;

	if (!found || walk_functions(w, m->live, m->live, m->name, found))
		return NULL;
	while (m->inner && PyDict_Next(m->inner, &at, &qualname, &entry))
		if (PyList_Append(found, py_first(entry)))
			return NULL;
	return py_take(&found);
}

static int note_bodies(struct job *job, const struct module *m)
{
	PyObject *entry;
	for (Py_ssize_t i = 0; (entry = py_item(m->bodies, i)); i++) {
		if (note_named(job, m, py_first(entry), py_second(entry)))
			return -1;
	}
	return 0;
}

int note_functions(struct job *job, const struct module *m, PyObject *codes)
{
	if (m->is_moved)
		return m->bodies ? note_bodies(job, m) : 0;
	_cleanup_py_ PyObject *found = functions_of(&job->world, m);
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(found, i)); i++)
		if (note_if_changed(job, m, item, codes))
			return -1;
	return found ? 0 : -1;
}

/* --- the module -------------------------------------------------------------------------- */

int note_module(struct job *job, struct module *m)
{
	char digest[DIGEST_HEX_SIZE];

	Py_DecRef(py_take(&m->told));
	m->told = PySet_New(NULL);
	if (!m->told)
		return -1;
	digest_bytes(digest, m->source);
	job_note(job,
		 &(struct reply_item){.kind = WIRE_RECORD_MODULE,
				      .action = m->place ? WIRE_ACTION_MIGRATED
							 : WIRE_ACTION_CHANGED,
				      .name = digest,
				      .text = py_text(m->file)},
		 m);
	note_statements(job, m);
	note_kept(job, m);
	return 0;
}
