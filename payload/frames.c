/* SPDX-License-Identifier: MIT
 *
 * Frames on the stacks of threads. A frame goes on in the code that it started with.
 */
#include "payload/frames.h"

#include "payload/code.h"
#include "payload/freestanding.h"

static void report(struct job *job, PyObject *frame, PyObject *code)
{
	_cleanup_py_ PyObject *name = code_attribute(code, "co_name");
	_cleanup_py_ PyObject *file = code_attribute(code, "co_filename");
	_cleanup_py_ PyObject *line = PyObject_GetAttrString(frame, "f_lineno");

	PyErr_Clear();
	if (!name || !file)
		return;
	job_note(job,
		 &(struct reply_item){.kind = WIRE_RECORD_FRAME,
				      .action = WIRE_ACTION_KEPT,
				      .name = PyUnicode_AsUTF8(name),
				      .text = PyUnicode_AsUTF8(file),
				      .line = line && line != job->world.none
						      ? (uint32_t)PyLong_AsLong(line)
						      : 0},
		 NULL);
}

static void report_stack(struct job *job, PyObject *top, PyObject *codes)
{
	PyObject *frame = py_ref(top);

	while (frame && frame != job->world.none) {
		_cleanup_py_ PyObject *code = PyObject_GetAttrString(frame, "f_code");
		PyObject *new = code ? PyDict_GetItem(codes, code) : NULL;
		if (new && !code_name_is(code, "<module>") &&
		    code_is_same(&job->world, code, new) == 0)
			report(job, frame, code);
		PyObject *back = PyObject_GetAttrString(frame, "f_back");
		Py_DecRef(frame);
		frame = back;
	}
	Py_DecRef(frame);
}

void frames_report(struct job *job, PyObject *codes)
{
	PyObject *function = PySys_GetObject("_current_frames");
	_cleanup_py_ PyObject *frames = function ? py_call(function) : NULL;
	_cleanup_py_ PyObject *tops = frames ? PyDict_Values(frames) : NULL;

	for (Py_ssize_t i = 0; tops && i < PyList_Size(tops); i++)
		report_stack(job, PyList_GetItem(tops, i), codes);
	PyErr_Clear();
}
