/* SPDX-License-Identifier: MIT
 *
 * What runs now, in the order of certainty: the baseline of an earlier attach; the frame that
 * executes the module's body; the code in the .pyc, if it agrees with the live functions (its
 * date says nothing); otherwise the live functions and constants alone.
 */
#include "payload/diff/running.h"

#include "payload/base/freestanding.h"
#include "payload/diff/infer.h"
#include "payload/job/walk.h"
#include "payload/python/code.h"
#include "payload/source/candidates.h"
#include "payload/source/home.h"
#include "payload/source/pyc.h"

#define ITERABLE_COROUTINE 0x100 /* CO_ITERABLE_COROUTINE of Include/code.h */

/* The live functions that were compiled from the module's file, not generated. `stranger`: a
 * file that others of them come from, or NULL. */
static PyObject *live_functions(struct job *job, const struct module *module,
				PyObject **stranger)
{
	_cleanup_py_ PyObject *all = PyList_New(0), *own = PyList_New(0);

	if (!all || !own ||
	    walk_functions(&job->world, module->live, module->live, module->name, all))
		return NULL;
	PyObject *function;
	for (Py_ssize_t i = 0; (function = py_item(all, i)); i++) {
		_cleanup_py_ PyObject *file = code_file(PyFunction_GetCode(function));
		const char *text = py_text(file);
		if (!file)
			return NULL;
		PyErr_Clear();
		if (!PyUnicode_Compare(file, module->old_file)) {
			if (PyList_Append(own, function))
				return NULL;
		} else if (text && text[0] != '<') {
			Py_DecRef(*stranger);
			*stranger = py_take(&file);
		}
	}
	return py_take(&own);
}

/* The code as the compiler made it: types.coroutine sets a flag (Lib/types.py). */
static PyObject *as_compiled(PyObject *code)
{
	long flags = code_number(code, "co_flags");

	if (!(flags & ITERABLE_COROUTINE))
		return py_ref(code);
	_cleanup_py_ PyObject *none = PyTuple_New(0);
	_cleanup_py_ PyObject *named =
		Py_BuildValue("{sl}", "co_flags", flags & ~ITERABLE_COROUTINE);
	_cleanup_py_ PyObject *replace = PyObject_GetAttrString(code, "replace"); /* 3.8 */
	PyObject *made = none && named && replace ? PyObject_Call(replace, none, named) : NULL;
	PyErr_Clear();
	return made ? made : py_ref(code);
}

/* 1 when each of the functions has its code inside `code`, lines included: before 3.12 codes
 * are equal whose lines differ (code_richcompare of Objects/codeobject.c). */
static int are_agreeing(PyObject *code, PyObject *functions)
{
	_cleanup_py_ PyObject *known = PyDict_New();

	if (!known || code_collect(code, known))
		return -1;
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(functions, i)); i++) {
		_cleanup_py_ PyObject *live = as_compiled(PyFunction_GetCode(item));
		PyObject *found = PyDict_GetItem(known, live);
		int same = found == live ? 1 : found ? code_is_unmoved(found, live) : 0;
		if (same != 1)
			return same;
	}
	return 1;
}

/* Not some code that somebody executes in the module's namespace. */
static int is_body_of(PyObject *code, PyObject *module_file)
{
	return code_is_from(code, module_file) && code_name_is(code, "<module>");
}

/* The body of the module, if a thread is in it right now: __main__ nearly always is. */
static PyObject *code_in_frame(struct job *job, const struct module *module)
{
	_cleanup_py_ PyObject *frames = world_current_frames(&job->world);
	_cleanup_py_ PyObject *values = frames ? PyDict_Values(frames) : NULL;
	PyObject *found = NULL;
	PyObject *item;

	for (Py_ssize_t i = 0; !found && (item = py_item(values, i)); i++) {
		PyObject *frame = py_ref(item);
		while (frame && frame != job->world.none && !found) {
			_cleanup_py_ PyObject *globals =
				PyObject_GetAttrString(frame, "f_globals");
			_cleanup_py_ PyObject *code = PyObject_GetAttrString(frame, "f_code");
			if (globals == module->live && code &&
			    is_body_of(code, module->old_file))
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

/* Not what Python would import: the next start of the program would be surprised. */
static void warn_of_cache(struct job *job, const struct module *module, const struct pyc *pyc)
{
	if (!pyc->is_trusted || code_is_same(&job->world, pyc->code, module->code))
		return;
	job_warn(job, module, NULL, WIRE_TEXT_OLD_PYC, NULL);
}

/* Another process may have compiled the new source into the .pyc. Functions would have told;
 * constants and new names have not been compared with anything. */
static int may_be_of_new_source(const struct job *job, const struct module *module,
				const struct pyc *pyc)
{
	return pyc->is_newer && pyc->is_trusted && module->stamp.mtime_ns >= job->start_ns;
}

static PyObject *code_in_pyc(struct job *job, const struct module *module, PyObject *functions)
{
	struct pyc pyc = pyc_read(job, module);

	if (!pyc.code)
		return NULL;
	warn_of_cache(job, module, &pyc);
	int agreeing = are_agreeing(pyc.code, functions);
	if (agreeing == 1 && may_be_of_new_source(job, module, &pyc) &&
	    code_is_same(&job->world, pyc.code, module->code) == 1)
		agreeing = 0;
	if (agreeing == 1)
		return pyc.code;
	Py_DecRef(pyc.code);
	return NULL;
}

/* The old module code when it can be had, and checked against the live functions. */
static PyObject *find_old_code(struct job *job, struct module *module, PyObject *functions)
{
	struct file_stamp unused;
	PyObject *code = py_ref(home_baseline(home_baselines(job), module, &unused));
	PyObject *running = code_in_frame(job, module);

	module->is_running = running != NULL;
	if (code && are_agreeing(code, functions) == 1) {
		Py_DecRef(running);
		return code;
	}
	Py_DecRef(code);
	code = running ? running : code_in_pyc(job, module, functions);
	PyErr_Clear();
	return code;
}

/* A __file__ that names a file in which none of the functions were born is not the module's. */
static int is_of_other_file(struct job *job, const struct module *module, PyObject *functions,
			    PyObject *stranger)
{
	if (!stranger || PyList_Size(functions))
		return 0;
	candidates_skip(job, module, WIRE_TEXT_OTHER_FILE, stranger);
	return 1;
}

int running_compare(struct job *job, struct module *module)
{
	_cleanup_py_ PyObject *stranger = NULL;
	_cleanup_py_ PyObject *functions = live_functions(job, module, &stranger);

	if (!functions)
		return -1;
	if (is_of_other_file(job, module, functions, stranger))
		return 1;
	module->old_code = find_old_code(job, module, functions);
	if (!module->old_code)
		return infer_change(job, module, are_agreeing(module->code, functions) == 1);
	int same = code_is_same(&job->world, module->old_code, module->code);
	int unmoved = same == 1 ? code_is_unmoved(module->old_code, module->code) : 0;
	module->is_changed = unmoved != 1;
	module->is_moved = same == 1 && unmoved == 0 && !module->place;
	return same < 0 || unmoved < 0 ? -1 : 0;
}
