/* SPDX-License-Identifier: MIT
 *
 * Baselines. The invariant: what is kept holds no module of the program alive (a module is
 * referred to weakly).
 */
#include "payload/source/home.h"

#include "payload/base/freestanding.h"

#define HOME_NAME    "_pyhotpatch"
#define HOME_VERSION 2 /* of the layout of what is in there */

/* The home module if it is one that we can read. Borrowed. */
static PyObject *find_home(struct job *job)
{
	PyObject *found = PyDict_GetItemString(job->world.modules, HOME_NAME);
	PyObject *version = world_loaded(&job->world, HOME_NAME, "version");

	return py_is(version, job->world.integer) && PyLong_AsLong(version) == HOME_VERSION
		       ? found
		       : NULL;
}

static PyObject *make_home(struct job *job)
{
	_cleanup_py_ PyObject *module = PyModule_New(HOME_NAME);
	_cleanup_py_ PyObject *version = PyLong_FromLong(HOME_VERSION);

	if (!module || !version ||
	    PyDict_SetItemString(PyModule_GetDict(module), "version", version) ||
	    PyDict_SetItemString(job->world.modules, HOME_NAME, module))
		return NULL;
	return PyDict_GetItemString(job->world.modules, HOME_NAME);
}

PyObject *home_dict(struct job *job, int is_needed)
{
	if (job->home)
		return job->home;
	PyObject *module = find_home(job);
	if (!module && is_needed)
		module = make_home(job);
	return job->home = module ? PyModule_GetDict(module) : NULL;
}

int home_remove(struct job *job)
{
	if (!PyDict_GetItemString(job->world.modules, HOME_NAME))
		return 0;
	job->home = NULL;
	return PyDict_DelItemString(job->world.modules, HOME_NAME) ? -1 : 1;
}

static PyObject *find_baselines(struct job *job, int is_needed)
{
	PyObject *home = home_dict(job, is_needed);
	PyObject *found = home ? PyDict_GetItemString(home, "baselines") : NULL;

	if (found || !home || !is_needed)
		return found;
	_cleanup_py_ PyObject *made = PyDict_New();
	return made && !PyDict_SetItemString(home, "baselines", made) ? made : NULL;
}

/* The module itself, or any function of its namespace: which one is met first changes. */
static int is_of(const struct module *module, PyObject *target)
{
	return target == module->object ||
	       (world_is_function(target) && PyFunction_GetGlobals(target) == module->live);
}

PyObject *home_baselines(struct job *job)
{
	return find_baselines(job, 0);
}

PyObject *home_baseline(PyObject *all, const struct module *module,
			struct file_stamp *stamp_out)
{
	PyObject *entry = py_get(all, module->key);
	Py_ssize_t size;
	char *stamp;

	if (!entry)
		return NULL;
	_cleanup_py_ PyObject *target = py_call(py_first(entry));
	if (!target || !is_of(module, target) ||
	    PyBytes_AsStringAndSize(py_second(entry), &stamp, &size) ||
	    size != sizeof(*stamp_out)) {
		PyErr_Clear();
		return NULL;
	}
	memcpy(stamp_out, stamp, sizeof(*stamp_out));
	return PyTuple_GetItem(entry, 2);
}

static PyObject *make_baseline(const struct module *module, const struct file_stamp *of,
			       PyObject *code)
{
	_cleanup_py_ PyObject *weak = PyWeakref_NewRef(module->anchor, NULL);
	_cleanup_py_ PyObject *stamp = PyBytes_FromStringAndSize((const char *)of, sizeof(*of));

	return weak && stamp ? PyTuple_Pack(3, weak, stamp, code) : NULL;
}

int home_remember(struct job *job, const struct module *module)
{
	PyObject *all = find_baselines(job, 1);
	_cleanup_py_ PyObject *entry =
		all ? make_baseline(module, &module->stamp, module->code) : NULL;

	return py_put(all, module->key, entry);
}

/* A stamp that no file has makes the next attach look at the file's content. */
PyObject *home_baseline_before(struct job *job, const struct module *module)
{
	struct file_stamp stamp = {0};

	if (!module->old_code)
		return py_ref(job->world.none);
	PyObject *code = home_baseline(home_baselines(job), module, &stamp);
	if (code != module->old_code)
		stamp = (struct file_stamp){0};
	return make_baseline(module, &stamp, module->old_code);
}

int home_put_back(struct job *job, PyObject *module_key, PyObject *before)
{
	PyObject *all = find_baselines(job, 1);

	if (!all)
		return -1;
	if (before != job->world.none)
		return PyDict_SetItem(all, module_key, before);
	return PyDict_GetItem(all, module_key) ? PyDict_DelItem(all, module_key) : 0;
}
