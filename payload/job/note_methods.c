/* SPDX-License-Identifier: MIT
 *
 * The methods and inner classes that a changed class gets or loses, by what its new body binds
 * and what is in the class now: the same for a plan, which makes no new class, and an attach.
 */
#include "payload/base/freestanding.h"
#include "payload/job/note.h"
#include "payload/job/walk.h"
#include "payload/python/code.h"

#define CO_NEWLOCALS                                                                           \
	0x2 /* Include/cpython/code.h: of functions, not of the bodies of classes */

struct class_body {
	struct job *job;
	const struct module *module;
	PyObject *qualname;
};

static void note(const struct class_body *b, PyObject *name, enum wire_record_kind kind,
		 enum wire_action action)
{
	_cleanup_py_ PyObject *whole = world_dotted(b->qualname, name);

	if (whole)
		note_name(b->job, b->module, whole, NULL, kind, action);
}

static void note_if_added(const struct class_body *b, PyObject *name)
{
	_cleanup_py_ PyObject *whole = world_dotted(b->qualname, name);
	_cleanup_py_ PyObject *code = whole ? code_find(b->module->code, whole) : NULL;

	if (code)
		note(b, name,
		     code_number(code, "co_flags") & CO_NEWLOCALS ? WIRE_RECORD_FUNCTION
								  : WIRE_RECORD_CLASS,
		     WIRE_ACTION_ADDED);
}

static void note_added(const struct class_body *b, PyObject *inside, PyObject *bound)
{
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(bound, i)); i++)
		if (!PyDict_GetItem(inside, item))
			note_if_added(b, item);
}

/* What the program put there stays. */
static void note_removed(const struct class_body *b, PyObject *inside, PyObject *names)
{
	PyObject *name, *value;
	Py_ssize_t at = 0;

	while (PyDict_Next(inside, &at, &name, &value))
		if (world_is_str(name) && !PySet_Contains(names, name) &&
		    walk_is_definition(&b->job->world, b->module, name, value) == 1)
			note(b, name, WIRE_RECORD_FUNCTION, WIRE_ACTION_REMOVED);
}

int note_methods(struct job *job, const struct module *m, PyObject *class)
{
	const struct world *w = &job->world;
	_cleanup_py_ PyObject *qualname = world_qualname(class);
	_cleanup_py_ PyObject *inside = world_type_dict(w, class);
	_cleanup_py_ PyObject *code = qualname ? code_find(m->code, qualname) : NULL;
	_cleanup_py_ PyObject *names = code ? PySet_New(NULL) : NULL;
	const struct class_body body = {job, m, qualname};

	if (!inside || !names || code_stored_names(w, code, names))
		return PyErr_Occurred() ? -1 : 0;
	_cleanup_py_ PyObject *bound = PySequence_List(names);
	if (!bound || PyList_Sort(bound))
		return -1;
	note_added(&body, inside, bound);
	note_removed(&body, inside, names);
	return PyErr_Occurred() ? -1 : 0;
}
