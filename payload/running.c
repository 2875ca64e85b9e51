/* SPDX-License-Identifier: MIT
 *
 * What runs now, in the order of certainty: the baseline of an earlier attach; the frame that
 * executes the module's body; the code in the .pyc, if it agrees with the live functions (its
 * date says nothing); otherwise the live functions and constants alone.
 */
#include "payload/running.h"

#include "payload/code.h"
#include "payload/file.h"
#include "payload/freestanding.h"
#include "payload/home.h"
#include "payload/infer.h"
#include "payload/source.h"
#include "payload/walk.h"

/* The live functions that were compiled from the module's file, not generated. */
static PyObject *live_functions(struct job *job, const struct module *module)
{
	_cleanup_py_ PyObject *all = PyList_New(0), *own = PyList_New(0);

	if (!all || !own ||
	    walk_functions(&job->world, module->live, module->live, module->name, all))
		return NULL;
	for (Py_ssize_t i = 0; i < PyList_Size(all); i++) {
		PyObject *function = PyList_GetItem(all, i);
		_cleanup_py_ PyObject *file =
			code_attribute(PyFunction_GetCode(function), "co_filename");
		if (!file)
			return NULL;
		if (!PyUnicode_Compare(file, module->file) && PyList_Append(own, function))
			return NULL;
	}
	return py_take(&own);
}

/* How many of the functions have their code inside `code`; -1 when one has not. */
static Py_ssize_t count_agreeing(const struct world *w, PyObject *code, PyObject *functions)
{
	_cleanup_py_ PyObject *known = PyDict_New();

	if (!known || code_collect(w, code, known))
		return -1;
	for (Py_ssize_t i = 0; i < PyList_Size(functions); i++)
		if (!PyDict_GetItem(known, PyFunction_GetCode(PyList_GetItem(functions, i))))
			return -1;
	return PyList_Size(functions);
}

/* Not some code that somebody executes in the module's namespace. */
static int is_body_of(PyObject *code, PyObject *module_file)
{
	_cleanup_py_ PyObject *file = code_attribute(code, "co_filename");

	return file && !PyUnicode_Compare(file, module_file) && code_name_is(code, "<module>");
}

/* The body of the module, if a thread is in it right now: __main__ nearly always is. */
static PyObject *code_in_frame(struct job *job, const struct module *module)
{
	_cleanup_py_ PyObject *frames = py_call(PySys_GetObject("_current_frames"));
	_cleanup_py_ PyObject *values = frames ? PyDict_Values(frames) : NULL;
	PyObject *found = NULL;

	for (Py_ssize_t i = 0; values && !found && i < PyList_Size(values); i++) {
		PyObject *frame = py_ref(PyList_GetItem(values, i));
		while (frame && frame != job->world.none && !found) {
			_cleanup_py_ PyObject *globals =
				PyObject_GetAttrString(frame, "f_globals");
			_cleanup_py_ PyObject *code = PyObject_GetAttrString(frame, "f_code");
			if (globals == module->live && code && is_body_of(code, module->file))
				found = py_take(&code);
			PyObject *back = PyObject_GetAttrString(frame, "f_back");
			Py_DecRef(frame);
			frame = back;
		}
		Py_DecRef(frame);
	}
	PyErr_Clear();
	return found;
}

static PyObject *pyc_path(const struct module *module)
{
	PyObject *spec = PyDict_GetItemString(module->live, "__spec__");
	PyObject *path = spec ? PyObject_GetAttrString(spec, "cached") : NULL;

	PyErr_Clear();
	return path ? path : py_ref(PyDict_GetItemString(module->live, "__cached__"));
}

static PyObject *code_in_pyc(struct job *job, const struct module *module)
{
	_cleanup_py_ PyObject *path = pyc_path(module);
	_cleanup_py_ PyObject *bytes =
		path && py_is(path, job->world.str) ? file_read(path) : NULL;
	uint32_t magic = (uint32_t)PyImport_GetMagicNumber();
	/* PEP 552 added four bytes in 3.7. */
	Py_ssize_t header = job->reply.header->python_version >= 0x03070000 ? 16 : 12;
	Py_ssize_t size;
	char *data;

	if (!bytes || PyBytes_AsStringAndSize(bytes, &data, &size) || size <= header ||
	    memcmp(data, &magic, sizeof(magic))) {
		PyErr_Clear();
		return NULL;
	}
	PyObject *code = PyMarshal_ReadObjectFromString(data + header, size - header);
	if (code && py_is(code, job->world.code))
		return code;
	PyErr_Clear();
	Py_DecRef(code);
	return NULL;
}

/* The old module code when it can be had, and checked against the live functions. */
static PyObject *find_old_code(struct job *job, const struct module *module,
			       PyObject *functions)
{
	struct file_stamp unused;
	PyObject *code = home_baseline(job, module, &unused);

	if (code && count_agreeing(&job->world, code, functions) >= 0)
		return code;
	Py_DecRef(code);
	code = code_in_frame(job, module);
	if (code)
		return code;
	code = code_in_pyc(job, module);
	if (code && count_agreeing(&job->world, code, functions) >= 0)
		return code;
	Py_DecRef(code);
	PyErr_Clear();
	return NULL;
}

int running_compare(struct job *job, struct module *module)
{
	_cleanup_py_ PyObject *functions = live_functions(job, module);

	if (!functions)
		return -1;
	module->old_code = find_old_code(job, module, functions);
	if (!module->old_code)
		return infer_change(job, module,
				    count_agreeing(&job->world, module->code, functions) >= 0);
	int same = code_is_same(&job->world, module->old_code, module->code);
	/* Another process may have compiled the new source into the .pyc. Functions would have
	 * told; constants alone have to be looked at. */
	if (same == 1 && !PyList_Size(functions) && infer_from_literals(job, module)) {
		Py_DecRef(py_take(&module->old_code));
		same = 0;
	}
	int unmoved =
		same == 1 ? code_is_unmoved(&job->world, module->old_code, module->code) : 0;
	module->is_changed = unmoved != 1;
	module->is_moved = same == 1 && unmoved == 0;
	return same < 0 || unmoved < 0 ? -1 : 0;
}
