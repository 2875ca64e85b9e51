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
#include "payload/source.h"
#include "payload/walk.h"

#define PYC_HEADER 16 /* PEP 552, 3.7 */

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
			if (globals == module->live && code && code_name_is(code, "<module>"))
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
	Py_ssize_t size;
	char *data;

	if (!bytes || PyBytes_AsStringAndSize(bytes, &data, &size) || size <= PYC_HEADER ||
	    memcmp(data, &magic, sizeof(magic))) {
		PyErr_Clear();
		return NULL;
	}
	PyObject *code = PyMarshal_ReadObjectFromString(data + PYC_HEADER, size - PYC_HEADER);
	if (code && py_is(code, job->world.code))
		return code;
	PyErr_Clear();
	Py_DecRef(code);
	return NULL;
}

/* Does an assignment of a literal in the new source disagree with the live value? Names that
 * are bound more than once, or rebound by a function, say nothing. */
static int is_literal_different(struct job *job, const struct module *module, PyObject *node)
{
	_cleanup_py_ PyObject *targets = PyObject_GetAttrString(node, "targets");
	_cleanup_py_ PyObject *value = targets ? PyObject_GetAttrString(node, "value") : NULL;
	_cleanup_py_ PyObject *literal = value ? PyObject_GetAttrString(value, "value") : NULL;

	PyErr_Clear();
	if (!literal || PyList_Size(targets) != 1 ||
	    !(py_is(literal, job->world.str) || py_is(literal, job->world.bytes) ||
	      py_is(literal, job->world.integer) || py_is(literal, job->world.real) ||
	      py_is(literal, job->world.boolean) || literal == job->world.none))
		return 0;
	_cleanup_py_ PyObject *name = PyObject_GetAttrString(PyList_GetItem(targets, 0), "id");
	PyErr_Clear();
	PyObject *live = name ? PyDict_GetItem(module->live, name) : NULL;
	if (!live)
		return name != NULL;
	if (py_type(live) != py_type(literal))
		return 1;
	return PyObject_RichCompareBool(live, literal, PY_EQ) == 0;
}

static int are_literals_different(struct job *job, const struct module *module)
{
	_cleanup_py_ PyObject *tree = source_tree(job, module);
	_cleanup_py_ PyObject *body = tree ? PyObject_GetAttrString(tree, "body") : NULL;
	int different = 0;

	for (Py_ssize_t i = 0; body && !different && i < PyList_Size(body); i++)
		different = is_literal_different(job, module, PyList_GetItem(body, i));
	PyErr_Clear();
	return different;
}

/* Is a name that the new body binds missing among the live ones? */
static int is_name_missing(struct job *job, PyObject *code, PyObject *names)
{
	_cleanup_py_ PyObject *stored = PySet_New(NULL);
	_cleanup_py_ PyObject *list = NULL;

	if (!stored || code_stored_names(&job->world, code, stored))
		return -1;
	list = PySequence_List(stored);
	for (Py_ssize_t i = 0; list && i < PyList_Size(list); i++)
		if (!PyDict_GetItem(names, PyList_GetItem(list, i)))
			return 1;
	return list ? 0 : -1;
}

/* Nothing but the live objects to go by. */
static int infer(struct job *job, struct module *module, PyObject *functions)
{
	_cleanup_py_ PyObject *values = PyDict_Values(module->live);
	Py_ssize_t agreeing = count_agreeing(&job->world, module->code, functions);

	module->is_changed = 1;
	if (!values)
		return -1;
	if (agreeing < 0 || is_name_missing(job, module->code, module->live) ||
	    are_literals_different(job, module))
		return 0;
	for (Py_ssize_t i = 0; i < PyList_Size(values); i++) {
		PyObject *class = PyList_GetItem(values, i);
		if (!walk_is_class_of(&job->world, class, module->name))
			continue;
		_cleanup_py_ PyObject *qualname = PyObject_GetAttrString(class, "__qualname__");
		_cleanup_py_ PyObject *body =
			qualname ? code_find(&job->world, module->code, qualname) : NULL;
		_cleanup_py_ PyObject *names = world_type_dict(&job->world, class);
		if (!names || (body && is_name_missing(job, body, names)))
			return names ? 0 : -1;
	}
	module->is_changed = 0;
	return 0;
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
		return infer(job, module, functions);
	int same = code_is_same(&job->world, module->old_code, module->code);
	/* Another process may have compiled the new source into the .pyc. Functions would have
	 * told; constants alone have to be looked at. */
	if (same == 1 && !PyList_Size(functions) && are_literals_different(job, module)) {
		Py_DecRef(py_take(&module->old_code));
		same = 0;
	}
	int unmoved =
		same == 1 ? code_is_unmoved(&job->world, module->old_code, module->code) : 0;
	module->is_changed = unmoved != 1;
	module->is_moved = same == 1 && unmoved == 0;
	return same < 0 || unmoved < 0 ? -1 : 0;
}
