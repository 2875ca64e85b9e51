/* SPDX-License-Identifier: MIT
 *
 * What did not change but leads to what did. New code runs before the commit: a function that
 * it calls and that did not change would see the constants and the functions that the program
 * has until then. So each that refers by name to what the changed statements bind, straight or
 * through others, has a clone in the shadow, with the shadow for its namespace, while they run.
 * What new code keeps of a clone becomes the function at the commit.
 *
 * The invariant: a clone is a function alone; defaults, cells and attributes are the live
 * one's.
 */
#include "payload/base/freestanding.h"
#include "payload/diff/statements.h"
#include "payload/python/code.h"
#include "payload/shadow/shadow.h"

/* 1 when the code, or code inside of it, names one of `names`. */
static int refers(const struct world *w, PyObject *code, PyObject *names)
{
	_cleanup_py_ PyObject *codes = PyDict_New();
	PyObject *each, *unused;
	Py_ssize_t at = 0;

	if (!codes || code_collect(w, code, codes))
		return -1;
	while (PyDict_Next(codes, &at, &each, &unused)) {
		_cleanup_py_ PyObject *used = code_attribute(each, "co_names");
		for (Py_ssize_t i = 0; used && i < PyTuple_Size(used); i++)
			if (PySet_Contains(names, PyTuple_GetItem(used, i)) == 1)
				return 1;
		if (!used)
			return -1;
	}
	return 0;
}

/* What PyFunction_New does not know; 3.14 computes annotations when they are asked for. */
static int copy_attributes(const struct world *w, PyObject *made, PyObject *f)
{
	const char *const names[] = {
		"__name__",
		"__qualname__",
		"__doc__",
		"__defaults__",
		"__kwdefaults__",
		"__type_params__",
		w->opcodes.minor < 14 ? "__annotations__" : "__annotate__",
	};
	_cleanup_py_ PyObject *from = world_own_dict(w, f), *to = world_own_dict(w, made);

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		_cleanup_py_ PyObject *value = PyObject_GetAttrString(f, names[i]);
		if (value && PyObject_SetAttrString(made, names[i], value))
			return -1;
		PyErr_Clear();
	}
	return from && to ? PyDict_Update(to, from) : 0;
}

static int add_clone(const struct world *w, struct module *m, PyObject *name, PyObject *f)
{
	PyObject *code = PyFunction_GetCode(f), *closure = PyFunction_GetClosure(f);
	_cleanup_py_ PyObject *made = PyFunction_New(code, m->fresh);

	if (!made || (closure && PyFunction_SetClosure(made, closure)) ||
	    copy_attributes(w, made, f))
		return -1;
	_cleanup_py_ PyObject *count = py_call(w->getrefcount, code);
	_cleanup_py_ PyObject *entry = count ? PyTuple_Pack(4, made, f, name, count) : NULL;
	return entry && !PyList_Append(m->clones, entry) ? PyDict_SetItem(m->fresh, name, made)
							 : -1;
}

/* What the statements bind that run. NULL without exception when none of them calls anything.
 */
static PyObject *changed_names(const struct module *m)
{
	_cleanup_py_ PyObject *names = PySet_New(NULL);
	int may_call = 0;

	for (Py_ssize_t i = 0; names && i < PyList_Size(m->chosen); i++) {
		PyObject *entry = PyList_GetItem(m->chosen, i);
		PyObject *bound = PyTuple_GetItem(entry, STATEMENT_NAMES);
		may_call |= PyLong_AsLong(PyTuple_GetItem(entry, STATEMENT_IS_DEFINITION)) !=
			    WIRE_RECORD_FUNCTION;
		for (Py_ssize_t k = 0; k < PyList_Size(bound); k++)
			if (PySet_Add(names, PyList_GetItem(bound, k)))
				return NULL;
	}
	return may_call ? py_take(&names) : NULL;
}

int shadow_clones_make(const struct world *w, struct module *m)
{
	_cleanup_py_ PyObject *names = m->chosen ? changed_names(m) : NULL;
	PyObject *name, *f;
	int grew = names != NULL;

	if (!names || !(m->clones = PyList_New(0)))
		return PyErr_Occurred() ? -1 : 0;
	while (grew) {
		Py_ssize_t at = 0;
		grew = 0;
		while (PyDict_Next(m->before, &at, &name, &f)) {
			if (!py_is(f, w->function) || !py_is(name, w->str) ||
			    PyFunction_GetGlobals(f) != m->live ||
			    PySet_Contains(names, name) == 1)
				continue;
			int is_hot = refers(w, PyFunction_GetCode(f), names);
			if (is_hot < 0 ||
			    (is_hot && (add_clone(w, m, name, f) || PySet_Add(names, name))))
				return -1;
			grew |= is_hot;
		}
	}
	return 0;
}

int shadow_clones_drop(struct module *m)
{
	for (Py_ssize_t i = 0; m->clones && i < PyList_Size(m->clones); i++) {
		PyObject *entry = PyList_GetItem(m->clones, i);
		PyObject *name = PyTuple_GetItem(entry, 2);
		if (PyDict_GetItem(m->fresh, name) == PyTuple_GetItem(entry, 0) &&
		    PyDict_SetItem(m->fresh, name, PyTuple_GetItem(entry, 1)))
			return -1;
	}
	return 0;
}
