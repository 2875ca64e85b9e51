/* SPDX-License-Identifier: MIT
 *
 * See names_gone.h.
 */
#include "payload/diff/names_gone.h"

#include "payload/base/freestanding.h"
#include "payload/job/walk.h"
#include "payload/python/code.h"
#include "payload/python/compare.h"

int names_is_definition(const struct world *w, const struct module *m, PyObject *name,
			PyObject *value)
{
	_cleanup_py_ PyObject *own = NULL;

	if (world_is_function(value) && PyFunction_GetGlobals(value) == m->live)
		own = code_name(PyFunction_GetCode(value));
	else if (walk_is_class_of(w, m, value))
		own = world_name(value);
	PyErr_Clear();
	return compare_texts(own, name);
}

int names_is_submodule(const struct world *w, const struct module *m, PyObject *name,
		       PyObject *value)
{
	_cleanup_py_ PyObject *whole = world_dotted(m->name, name);

	return py_get(w->modules, whole) == value;
}

PyObject *names_gone(const struct world *w, const struct module *m)
{
	_cleanup_py_ PyObject *bound_before = PySet_New(NULL), *bound_now = PySet_New(NULL);
	_cleanup_py_ PyObject *gone = PyList_New(0);
	PyObject *name, *value;
	Py_ssize_t at = 0;

	if (!bound_before || !bound_now || !gone || code_stored_names(w, m->code, bound_now) ||
	    (m->old_code && code_stored_names(w, m->old_code, bound_before)))
		return NULL;
	while (PyDict_Next(m->live, &at, &name, &value)) {
		if (!world_is_str(name) || module_is_import_name(name) ||
		    py_get(m->fresh, name))
			continue;
		int is_gone = m->before ? PyDict_GetItem(m->before, name) != NULL
			      : PySet_Contains(bound_now, name) == 1 ? 0
			      : m->old_code ? PySet_Contains(bound_before, name) == 1
					    : names_is_definition(w, m, name, value);
		if (is_gone && !names_is_submodule(w, m, name, value) &&
		    PyList_Append(gone, name))
			return NULL;
	}
	return py_take(&gone);
}
