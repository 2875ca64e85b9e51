/* SPDX-License-Identifier: MIT
 *
 * The invariant: a hook that is a function of its module has the shadow namespace for globals,
 * so that its `global` statements write nothing that the program sees before the commit.
 */
#include "payload/shadow/reload_hook.h"

#include "payload/base/freestanding.h"
#include "payload/python/code.h"

#define HOOK_NAME "__reload__"

static int is_function_of(PyObject *hook, const struct module *m)
{
	return world_is_function(hook) && (PyFunction_GetGlobals(hook) == m->live ||
					   PyFunction_GetGlobals(hook) == m->fresh);
}

/* In a copy of the live namespace there is also what the new source has not any more. */
int reload_hook_is_in_source(const struct world *w, const struct module *m)
{
	_cleanup_py_ PyObject *names = PySet_New(NULL);
	_cleanup_py_ PyObject *name = PyUnicode_FromString(HOOK_NAME);

	if (!names || !name || code_stored_names(w, m->code, names))
		return -1;
	return PySet_Contains(names, name);
}

/* One that did not change is the live function: the same in the shadow's namespace. */
static PyObject *in_shadow(PyObject *hook, const struct module *m)
{
	if (!world_is_function(hook) || PyFunction_GetGlobals(hook) != m->live)
		return py_ref(hook);
	_cleanup_py_ PyObject *copy = PyFunction_New(PyFunction_GetCode(hook), m->fresh);
	PyObject *defaults = PyFunction_GetDefaults(hook);
	PyObject *keywords = PyFunction_GetKwDefaults(hook);
	PyObject *closure = PyFunction_GetClosure(hook);

	if (!copy || (defaults && PyFunction_SetDefaults(copy, defaults)) ||
	    (keywords && PyFunction_SetKwDefaults(copy, keywords)) ||
	    (closure && PyFunction_SetClosure(copy, closure)))
		return NULL;
	return py_take(&copy);
}

static int call_hook(const struct world *w, const struct module *m)
{
	PyObject *hook = m->fresh ? PyDict_GetItemString(m->fresh, HOOK_NAME) : NULL;

	if (!hook || hook == w->none)
		return 0;
	int is_wanted = is_function_of(hook, m) ? reload_hook_is_in_source(w, m) : 1;
	if (is_wanted <= 0)
		return is_wanted;
	_cleanup_py_ PyObject *callable = in_shadow(hook, m);
	_cleanup_py_ PyObject *old = PyDict_Copy(m->before ? m->before : m->live);
	_cleanup_py_ PyObject *result = callable && old ? py_call(callable, old) : NULL;
	return result ? 0 : -1;
}

int reload_hooks_call(struct job *job)
{
	for (size_t i = 0; i < job->modules.count; i++)
		if (call_hook(&job->world, &job->modules.items[i]))
			return -1;
	return 0;
}
