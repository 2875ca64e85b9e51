/* SPDX-License-Identifier: MIT
 *
 * elsewhere.py asks the import system; here is who is asked about.
 */
#include "payload/source/elsewhere.h"

#include "payload/python/hook_text.h"
#include "payload/source/origin.h"

int elsewhere_find(const struct job *job, struct module *module)
{
	const struct world *w = &job->world;
	_cleanup_py_ PyObject *name = origin_of_spec(w, module->live, NAME_NAME);
	PyObject *importlib = PyDict_GetItemString(w->modules, "_frozen_importlib_external");
	_cleanup_py_ PyObject *globals =
		Py_BuildValue("{sOsO}", "asked", module->object, "dotted", name);

	if (!globals || module->kind != MODULE_PLAIN || module->place ||
	    PyDict_Update(globals, PyModule_GetDict(importlib))) {
		PyErr_Clear();
		return 0;
	}
	_cleanup_py_ PyObject *texts = hook_texts();
	if (texts)
		(void)hook_execute(texts, HOOK_ELSEWHERE, globals);
	PyErr_Clear();
	module->place = py_ref(PyDict_GetItemString(globals, "place"));
	PyDict_Clear(globals); /* a cycle of a function and its globals */
	if (!module->place)
		return 0;
	module->old_file = py_take(&module->file);
	Py_DecRef(py_take(&module->loader));
	Py_DecRef(py_take(&module->path));
	return 1;
}
