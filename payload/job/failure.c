/* SPDX-License-Identifier: MIT
 *
 * Exceptions as text, without the traceback module: importing it would leave another module
 * in the program.
 */
#include "payload/job/failure.h"

#include "payload/base/freestanding.h"
#include "payload/job/file.h"

/* Appends and drops `part`; a failure on the way shortens the text, no more. */
static void append(PyObject **text, PyObject *part)
{
	if (*text && part) {
		PyObject *both = PyUnicode_Concat(*text, part);
		Py_DecRef(*text);
		*text = both;
	}
	Py_DecRef(part);
	PyErr_Clear();
}

/* Line `number` of a file, without indentation and line end; NULL when there is none. */
static PyObject *source_line(PyObject *file, long number)
{
	_cleanup_py_ PyObject *encoded = PyUnicode_EncodeFSDefault(file);
	_cleanup_py_ PyObject *bytes = encoded ? file_read(encoded) : NULL;
	Py_ssize_t size, start = 0;
	char *text;

	if (!bytes || PyBytes_AsStringAndSize(bytes, &text, &size))
		return NULL;
	for (long line = 1; line < number && start < size; start++)
		if (text[start] == '\n')
			line++;
	Py_ssize_t end = start;
	while (end < size && text[end] != '\n' && text[end] != '\r')
		end++;
	while (start < end && (text[start] == ' ' || text[start] == '\t'))
		start++;
	return end > start ? PyUnicode_DecodeUTF8(text + start, end - start, "replace") : NULL;
}

static PyObject *path(PyObject *o, const char *first, const char *second)
{
	_cleanup_py_ PyObject *middle = py_attribute(o, first);

	return py_attribute(middle, second);
}

static int is_ours(PyObject *file)
{
	const char *text = py_text(file);

	return text && (text_equal(text, "<pyhotpatch>") ||
			(strlen(text) > 17 && !memcmp(text, "<frozen importlib", 17)));
}

static void append_frame(PyObject **text, PyObject *entry)
{
	_cleanup_py_ PyObject *code = path(entry, "tb_frame", "f_code");
	_cleanup_py_ PyObject *file = py_attribute(code, "co_filename");
	_cleanup_py_ PyObject *name = py_attribute(code, "co_name");
	_cleanup_py_ PyObject *line = PyObject_GetAttrString(entry, "tb_lineno");

	if (!file || !name || !line || is_ours(file))
		return;
	append(text, PyUnicode_FromFormat("  File \"%U\", line %S, in %U\n", file, line, name));
	_cleanup_py_ PyObject *source = source_line(file, PyLong_AsLong(line));
	if (source)
		append(text, PyUnicode_FromFormat("    %U\n", source));
}

static void append_frames(const struct world *w, PyObject **text, PyObject *traceback)
{
	PyObject *entry = py_ref(traceback);

	append(text, PyUnicode_FromString("Traceback (most recent call last):\n"));
	while (entry) {
		append_frame(text, entry);
		PyErr_Clear();
		PyObject *next = PyObject_GetAttrString(entry, "tb_next");
		Py_DecRef(entry);
		entry = next;
		if (entry == w->none) {
			Py_DecRef(entry);
			entry = NULL;
		}
	}
	PyErr_Clear();
}

/* The caret under column `offset` (from 1) of a line whose indentation is cut off. */
static void append_source_with_caret(PyObject **text, PyObject *line, long offset)
{
	const char *at = py_text(line);
	char blanks[200];
	long cut = 0, length = 0;

	while (at && (at[cut] == ' ' || at[cut] == '\t'))
		cut++;
	while (at && at[cut + length] && at[cut + length] != '\n' && at[cut + length] != '\r')
		length++;
	if (!at || !length)
		return;
	append(text, PyUnicode_FromString("    "));
	append(text, PyUnicode_DecodeUTF8(at + cut, length, "replace"));
	append(text, PyUnicode_FromString("\n"));
	long column = offset - 1 - cut;
	if (column < 0 || column >= (long)sizeof(blanks))
		return;
	memset(blanks, ' ', sizeof(blanks));
	blanks[column] = '\0';
	append(text, PyUnicode_FromFormat("    %s^\n", blanks));
}

static void append_syntax_place(const struct world *w, PyObject **text, PyObject *value)
{
	_cleanup_py_ PyObject *file = PyObject_GetAttrString(value, "filename");
	_cleanup_py_ PyObject *line = PyObject_GetAttrString(value, "lineno");
	_cleanup_py_ PyObject *source = PyObject_GetAttrString(value, "text");
	_cleanup_py_ PyObject *offset = PyObject_GetAttrString(value, "offset");

	if (file && line && line != w->none)
		append(text, PyUnicode_FromFormat("  File \"%S\", line %S\n", file, line));
	if (world_is_str(source) && py_is(offset, w->integer))
		append_source_with_caret(text, source, PyLong_AsLong(offset));
	PyErr_Clear();
}

static PyObject *type_name(PyObject *type)
{
	_cleanup_py_ PyObject *module = PyObject_GetAttrString(type, "__module__");
	_cleanup_py_ PyObject *name = PyObject_GetAttrString(type, "__qualname__");
	const char *module_text = py_text(module);

	PyErr_Clear();
	if (!name)
		return PyUnicode_FromString("exception");
	if (!module_text || text_equal(module_text, "builtins") ||
	    text_equal(module_text, "__main__"))
		return py_take(&name);
	return PyUnicode_FromFormat("%s.%U", module_text, name);
}

static void append_message(PyObject **text, PyObject *type, PyObject *value, int is_syntax)
{
	append(text, type_name(type));
	_cleanup_py_ PyObject *message =
		is_syntax ? PyObject_GetAttrString(value, "msg") : PyObject_Str(value);
	if (!world_is_str(message))
		PyErr_Clear();
	else if (PyUnicode_CompareWithASCIIString(message, ""))
		append(text, PyUnicode_FromFormat(": %U", message));
}

PyObject *failure_text(const struct world *w)
{
	PyObject *syntax_error = PyDict_GetItemString(w->builtins, "SyntaxError");
	struct py_pending failed;
	PyObject *text = NULL;

	py_set_aside(&failed);
	if (failed.kind) {
		PyErr_NormalizeException(&failed.kind, &failed.value, &failed.traceback);
		PyObject *value = failed.value;
		int is_syntax = py_is_a(value, syntax_error);
		text = PyUnicode_FromString("");
		if (failed.traceback && !is_syntax)
			append_frames(w, &text, failed.traceback);
		if (is_syntax)
			append_syntax_place(w, &text, value);
		append_message(&text, failed.kind, value ? value : w->none, is_syntax);
	}
	py_drop_all(&failed.kind, &failed + 1);
	if (!text)
		text = PyUnicode_FromString("unknown failure");
	PyErr_Clear();
	return text;
}

const char *failure_subject(PyObject *name)
{
	const char *text = py_text(name);

	for (const char *at = text; at && *at != *WIRE_NEXT; at++)
		if (!*at)
			return text;
	return "?";
}

int failure_refuse(struct job *job, enum wire_status status, const struct module *module)
{
	_cleanup_py_ PyObject *text = failure_text(&job->world);

	return job_refuse(job, status, module, text ? WIRE_TEXT_NONE : WIRE_TEXT_NO_MEMORY,
			  text);
}
