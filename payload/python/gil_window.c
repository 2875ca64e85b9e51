/* SPDX-License-Identifier: MIT
 *
 * Holding the GIL of an interpreter that has none.
 *
 * A free-threaded CPython still has its GIL: it takes it while an extension module is created,
 * lest the module turn out to need it (Python/import.c, create_builtin, 3.13 to 3.15). Enabling
 * it stops the world, and from then on a thread must hold it to run Python, until the module is
 * there (Python/ceval_gil.c, _PyEval_EnableGILTransient). No exported function does only that;
 * but in between the module's spec is asked for its name (Objects/moduleobject.c,
 * PyModule_FromDefAndSpec). So a builtin module is created from a spec whose name is computed
 * here, and here the work is done: everything that holds on an interpreter with a GIL holds.
 *
 * The invariant: the work is done only when the interpreter says that its GIL is enabled, and
 * nothing that leads to our text is left behind in it.
 */
#include "payload/python/gil_window.h"

#include "payload/base/freestanding.h"

/* PyMethodDef, of the stable ABI. The interpreter may look at the flags as long as the function
 * object lives. */
struct method {
	const char *name;
	PyObject *(*call)(PyObject *self, PyObject *argument);
	int flags;
	const char *doc;
};
#define TAKES_ONE 8 /* METH_O */

/* The module: created by its definition (PEP 489), built into the executable, never executed.
 */
#define MODULE "errno"

struct window {
	struct method method;
	char name[sizeof(MODULE)];
	void (*work)(void *);
	void *context;
	int times; /* that the name was asked for: the second time is inside */
	int is_done;
};

int gil_window_is_needed(void)
{
	return _Py_MergeZeroLocalRefcount != NULL; /* Py_GIL_DISABLED */
}

static int is_enabled(void)
{
	PyObject *function = PySys_GetObject("_is_gil_enabled");
	_cleanup_py_ PyObject *result = function ? py_call(function) : NULL;
	int enabled = result && PyObject_IsTrue(result) == 1;

	PyErr_Clear();
	return enabled;
}

static PyObject *attribute_of_spec(PyObject *capsule, PyObject *name)
{
	struct window *w = PyCapsule_GetPointer(capsule, NULL);

	if (!w)
		return NULL;
	if (PyUnicode_CompareWithASCIIString(name, "name") != 0)
		return PyObject_GetAttr(capsule, name); /* which has no such */
	if (++w->times == 2 && is_enabled()) {
		w->work(w->context);
		w->is_done = 1;
	}
	return PyUnicode_FromString(MODULE);
}

/* An object whose attribute `name` is what the function returns: a module, not an object of a
 * class of our own, since the 3.13 would never free that. */
static PyObject *make_spec(PyObject *function)
{
	PyObject *spec = PyModule_New("spec");

	if (!spec || PyObject_SetAttrString(spec, "__getattr__", function) == 0)
		return spec;
	Py_DecRef(spec);
	return NULL;
}

/* Whoever found it meanwhile has no way to us. */
static void unmake_spec(PyObject *spec)
{
	if (spec && PyObject_SetAttrString(spec, "__getattr__", NULL))
		PyErr_Clear();
	Py_DecRef(spec);
}

static void create(PyObject *function)
{
	PyObject *spec = make_spec(function);
	_cleanup_py_ PyObject *imp = spec ? py_import("_imp") : NULL;
	_cleanup_py_ PyObject *module =
		imp ? PyObject_CallMethod(imp, "create_builtin", "O", spec) : NULL;

	PyErr_Clear();
	unmake_spec(spec);
}

int gil_window_run(void (*work)(void *context), void *context)
{
	struct window *w = PyMem_Malloc(sizeof(*w));
	int is_done;

	if (!w)
		return -1;
	*w = (struct window){.work = work, .context = context};
	memcpy(w->name, MODULE, sizeof(w->name));
	w->method =
		(struct method){.name = w->name, .call = attribute_of_spec, .flags = TAKES_ONE};
	PyObject *capsule = PyCapsule_New(w, NULL, NULL);
	PyObject *function = capsule ? PyCMethod_New(&w->method, capsule, NULL, NULL) : NULL;
	if (function)
		create(function);
	PyErr_Clear();
	is_done = w->is_done;
	Py_DecRef(capsule);
	PyObject *count = PySys_GetObject("getrefcount");
	_cleanup_py_ PyObject *left = function && count ? py_call(count, function) : NULL;
	int is_ours = !function || (left && PyLong_AsLong(left) <= 2);
	Py_DecRef(function);
	PyErr_Clear();
	if (is_ours) /* else somebody found the function: it shall find its definition */
		PyMem_Free(w);
	return is_done ? 0 : -1;
}
