/* SPDX-License-Identifier: MIT
 *
 * Baselines and the rollback record. The invariant: what is kept holds no module of the program
 * alive (a module is referred to weakly).
 */
#include "payload/home.h"

#include "payload/freestanding.h"

#define HOME_NAME "_pyhotpatch"

/* The module's dict, made when `is_needed`. Borrowed. */
static PyObject *home_dict(struct job *job, int is_needed)
{
	PyObject *found = PyDict_GetItemString(job->world.modules, HOME_NAME);

	if (job->home || (!found && !is_needed))
		return job->home;
	_cleanup_py_ PyObject *module = found ? py_ref(found) : PyModule_New(HOME_NAME);
	if (!module || !world_is_module(&job->world, module))
		return NULL;
	if (!found && PyDict_SetItemString(job->world.modules, HOME_NAME, module))
		return NULL;
	return job->home = PyModule_GetDict(module);
}

static PyObject *baselines(struct job *job, int is_needed)
{
	PyObject *home = home_dict(job, is_needed);
	PyObject *found = home ? PyDict_GetItemString(home, "baselines") : NULL;

	if (found || !home || !is_needed)
		return found;
	_cleanup_py_ PyObject *made = PyDict_New();
	return made && !PyDict_SetItemString(home, "baselines", made) ? made : NULL;
}

/* The module itself, or any function of its namespace: which one is met first changes. */
static int is_of(const struct job *job, const struct module *module, PyObject *target)
{
	return target == module->object || (py_is(target, job->world.function) &&
					    PyFunction_GetGlobals(target) == module->live);
}

PyObject *home_baseline(struct job *job, const struct module *module,
			struct file_stamp *stamp_out)
{
	PyObject *all = baselines(job, 0);
	PyObject *entry = all ? PyDict_GetItem(all, module->key) : NULL;
	Py_ssize_t size;
	char *stamp;

	if (!entry)
		return NULL;
	_cleanup_py_ PyObject *target = py_call(PyTuple_GetItem(entry, 0));
	if (!target || !is_of(job, module, target) ||
	    PyBytes_AsStringAndSize(PyTuple_GetItem(entry, 1), &stamp, &size) ||
	    size != sizeof(*stamp_out)) {
		PyErr_Clear();
		return NULL;
	}
	memcpy(stamp_out, stamp, sizeof(*stamp_out));
	return py_ref(PyTuple_GetItem(entry, 2));
}

int home_remember(struct job *job, const struct module *module)
{
	PyObject *all = baselines(job, 1);
	_cleanup_py_ PyObject *weak = all ? PyWeakref_NewRef(module->anchor, NULL) : NULL;
	_cleanup_py_ PyObject *stamp =
		PyBytes_FromStringAndSize((const char *)&module->stamp, sizeof(module->stamp));
	_cleanup_py_ PyObject *entry =
		weak && stamp ? PyTuple_Pack(3, weak, stamp, module->code) : NULL;

	return entry ? PyDict_SetItem(all, module->key, entry) : -1;
}

int home_keep_record(struct job *job, PyObject *record)
{
	PyObject *home = home_dict(job, 1);

	return home ? PyDict_SetItemString(home, "last", record) : -1;
}
