/* SPDX-License-Identifier: MIT
 *
 * What a module says of itself, read past its attributes' hooks. __spec__ counts before
 * __file__, which programs set more easily; whether either is true is judged by the live
 * functions later (running.c).
 */
#include "payload/source/origin.h"

#include "payload/base/freestanding.h"
#include "payload/base/sys.h"
#include "payload/job/walk.h"
#include "payload/python/code.h"
#include "payload/python/compare.h"

#define PATH_SIZE 4096 /* PATH_MAX of include/uapi/linux/limits.h */

PyObject *origin_of_spec(const struct world *w, PyObject *namespace, enum world_name name)
{
	PyObject *spec = PyDict_GetItem(namespace, w->name[NAME_SPEC]);
	PyObject *found =
		py_is(spec, w->module_spec) ? PyObject_GetAttr(spec, w->name[name]) : NULL;

	PyErr_Clear();
	return found;
}

static PyObject *names_of(const struct module *module)
{
	return module->place ? module->place : module->live;
}

static PyObject *find_loader(const struct world *w, const struct module *module)
{
	PyObject *loader = origin_of_spec(w, names_of(module), NAME_LOADER);

	if (loader && loader != w->none)
		return loader;
	Py_DecRef(loader);
	loader = PyDict_GetItemString(names_of(module), "__loader__");
	return loader && loader != w->none ? py_ref(loader) : NULL;
}

static PyObject *find_file(const struct world *w, const struct module *module)
{
	_cleanup_py_ PyObject *has_location =
		origin_of_spec(w, names_of(module), NAME_HAS_LOCATION);
	PyObject *file = PyDict_GetItem(names_of(module), w->name[NAME_FILE]);

	if (has_location && PyObject_IsTrue(has_location) == 1) {
		PyObject *origin = origin_of_spec(w, names_of(module), NAME_ORIGIN);
		if (world_is_str(origin))
			return origin;
		Py_DecRef(origin);
	}
	return world_is_str(file) ? py_ref(file) : NULL;
}

/* Where the loader says that it reads: code is compiled under that name. NULL when it does not
 * say. New reference. */
static PyObject *find_name_of_loader(const struct world *w, const struct module *module)
{
	_cleanup_py_ PyObject *name = origin_of_spec(w, names_of(module), NAME_NAME);
	_cleanup_py_ PyObject *get = PyObject_GetAttrString(module->loader, "get_filename");
	PyObject *found = get ? py_call(get, name ? name : module->name) : NULL;

	PyErr_Clear();
	if (world_is_str(found))
		return found;
	Py_DecRef(found);
	return NULL;
}

static int ends_with(PyObject *text, const char *end)
{
	_cleanup_py_ PyObject *suffix = PyUnicode_FromString(end);

	return suffix && PyUnicode_Tailmatch(text, suffix, 0, PTRDIFF_MAX, 1) == 1;
}

/* Sets module->kind. WIRE_TEXT_NONE, or why there is no source. */
static enum wire_text judge_loader(const struct world *w, struct module *module)
{
	PyObject *loader = module->loader;

	module->kind = MODULE_OTHER;
	if (module->object && !py_is(module->object, w->module) &&
	    py_is(module->object, world_loaded(w, "importlib.util", "_LazyModule")))
		return WIRE_TEXT_LAZY;
	if (loader && (loader == w->frozen_importer || loader == w->builtin_importer))
		return WIRE_TEXT_BUILT_IN;
	if (py_is(loader, w->sourceless_loader))
		return WIRE_TEXT_PYC_ALONE;
	if (py_is(loader, w->extension_loader))
		return WIRE_TEXT_EXTENSION;
	if (!module->file)
		return WIRE_TEXT_NO_FILE;
	if (py_is(loader, w->zip_importer)) {
		module->kind = MODULE_IN_ARCHIVE;
		return ends_with(module->file, ".pyc") ? WIRE_TEXT_PYC_ALONE : WIRE_TEXT_NONE;
	}
	if (py_is(loader, w->source_loader)) {
		module->kind = MODULE_PLAIN;
		return WIRE_TEXT_NONE;
	}
	if (loader)
		return WIRE_TEXT_NONE;
	module->kind = MODULE_PLAIN;
	return module->is_main || ends_with(module->file, ".py") ? WIRE_TEXT_NONE
								 : WIRE_TEXT_NO_SOURCE;
}

/* --- relative paths: the program may have changed its working directory since ------------ */

struct folders {
	char path[PATH_SIZE]; /* what was found */
	struct stat st;
	int count; /* of different files */
};

/* Is there such a file in the folder? */
static void look_into(struct folders *out, const char *folder, const char *path)
{
	size_t length = strlen(folder), rest = strlen(path) + 1;
	char whole[PATH_SIZE];
	struct stat st;

	if (!length || length + 1 + rest > sizeof(whole))
		return;
	memcpy(whole, folder, length);
	whole[length] = '/';
	memcpy(whole + length + 1, path, rest);
	if (sys_stat(whole, &st) < 0 ||
	    (out->count && st.st_ino == out->st.st_ino && st.st_dev == out->st.st_dev))
		return;
	memcpy(out->path, whole, length + 1 + rest);
	out->st = st;
	out->count++;
}

/* The folder of the script comes first in sys.path (Modules/main.c). */
static void look_beside_script(struct folders *out, const struct world *w, const char *path)
{
	PyObject *all = PySys_GetObject("path");
	PyObject *first = py_is_a(all, w->list) ? py_item(all, 0) : NULL;
	const char *text = world_is_str(first) ? py_text(first) : NULL;
	const char *leaf = path;

	for (; *path; path++)
		if (*path == '/')
			leaf = path + 1;
	if (text && *text == '/')
		look_into(out, text, leaf);
	PyErr_Clear();
}

/* posix.environ is what the process was started with, whatever it did to os.environ. */
static void look_where_started(struct folders *out, const struct world *w, const char *path)
{
	PyObject *environ = world_loaded(w, "posix", "environ");
	_cleanup_py_ PyObject *key = PyBytes_FromString("PWD");
	PyObject *folder = key && world_is_dict(environ) ? PyDict_GetItem(environ, key) : NULL;
	const char *text = py_bytes(folder);

	if (text)
		look_into(out, text, path);
}

static enum wire_text resolve(const struct job *job, struct module *module)
{
	struct folders found = {.count = 0};
	const char *path = py_bytes(module->path);

	if (!path)
		return WIRE_TEXT_ZERO_IN_PATH;
	if (*path == '/')
		return WIRE_TEXT_NONE;
	look_into(&found, ".", path);
	look_where_started(&found, &job->world, path);
	if (module->is_main)
		look_beside_script(&found, &job->world, path);
	if (found.count > 1)
		return WIRE_TEXT_AMBIGUOUS_PATH;
	PyObject *absolute = found.count ? PyBytes_FromString(found.path) : NULL;
	if (absolute) {
		Py_DecRef(module->path);
		module->path = absolute;
	}
	return WIRE_TEXT_NONE;
}

/* A loader that was made with a relative path keeps it, while spec and __file__ have been
 * absolute since 3.10: `place` is theirs. */
static int is_same_place(PyObject *name, PyObject *place)
{
	const char *text = py_text(name), *whole = py_text(place);

	if (!text || !whole || *text == '/' || *whole != '/')
		return 0;
	while (!memcmp(text, "./", 2))
		text += 2;
	size_t length = strlen(text), total = strlen(whole);
	return length && total > length && whole[total - length - 1] == '/' &&
	       text_equal(whole + total - length, text);
}

/* Was any of the live functions compiled under that name? */
static int has_function_of(const struct job *job, const struct module *module, PyObject *name)
{
	_cleanup_py_ PyObject *all = PyList_New(0);
	int found = 0;

	if (!all || walk_functions(&job->world, module->live, module->live, module->name, all))
		return 0;
	for (Py_ssize_t i = 0; i < PyList_Size(all) && !found; i++) {
		PyObject *code = PyFunction_GetCode(PyList_GetItem(all, i));
		_cleanup_py_ PyObject *file = code_file(code);
		found = compare_texts(file, name);
	}
	return found;
}

/* Sets module->file, and returns the place on disk that it means. Where the loader says another
 * one than spec and __file__ the functions decide; without any, a script's __file__ counts, as
 * what runs scripts (debuggers, profilers) may have left its own loader there. New reference.
 */
static PyObject *choose_file(const struct job *job, struct module *module)
{
	_cleanup_py_ PyObject *place = py_ref(module->file);
	PyObject *name = module->loader && module->kind != MODULE_IN_ARCHIVE
				 ? find_name_of_loader(&job->world, module)
				 : NULL;

	if (!name || !PyUnicode_Compare(name, place) ||
	    (!has_function_of(job, module, name) &&
	     (module->is_main || has_function_of(job, module, place)))) {
		Py_DecRef(name);
		return py_take(&place);
	}
	Py_DecRef(module->file);
	module->file = name;
	return is_same_place(name, place) ? py_take(&place) : py_ref(name);
}

/* What is to be looked at on disk: the file, or the archive that it is in. */
static enum wire_text find_path(const struct job *job, struct module *module, int has_source)
{
	_cleanup_py_ PyObject *place =
		!has_source ? py_ref(module->file)
		: module->kind == MODULE_IN_ARCHIVE
			? PyObject_GetAttrString(module->loader, "archive")
			: choose_file(job, module);

	module->path = place ? PyUnicode_EncodeFSDefault(place) : NULL;
	return module->path ? resolve(job, module) : WIRE_TEXT_ODD_PATH;
}

enum wire_text origin_find(const struct job *job, struct module *module)
{
	module->loader = find_loader(&job->world, module);
	module->file = find_file(&job->world, module);
	enum wire_text obstacle = judge_loader(&job->world, module);
	enum wire_text lost = module->file ? find_path(job, module, !obstacle) : WIRE_TEXT_NONE;

	PyErr_Clear();
	return obstacle ? obstacle : lost;
}
