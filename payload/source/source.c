/* SPDX-License-Identifier: MIT
 *
 * Reading and compiling. What the import system does with a source file is done here too, with
 * the module's own loader, but no cache is read or written.
 */
#include "payload/source/source.h"

#include "payload/base/freestanding.h"
#include "payload/heap/ring.h"
#include "payload/job/file.h"
#include "payload/job/idle.h"
#include "payload/python/code.h"
#include "payload/python/let_run.h"
#include "payload/source/origin.h"

#define PYCF_ONLY_AST 0x400 /* Include/compile.h, all versions */

static PyObject *compile(const struct world *w, PyObject *source, PyObject *file, long flags)
{
	PyObject *function = PyDict_GetItemString(w->builtins, "compile");
	_cleanup_py_ PyObject *args = Py_BuildValue("(OOsli)", source, file, "exec", flags, 1);

	return function && args ? PyObject_CallObject(function, args) : NULL;
}

/* --- reading ----------------------------------------------------------------------------- */

/* 1, without an exception, when the exception says that there is no such source any more. */
static int is_gone(const struct world *w)
{
	PyObject *os_error = PyDict_GetItemString(w->builtins, "OSError");

	if (!os_error || !PyErr_ExceptionMatches(os_error))
		return -1;
	PyErr_Clear();
	return 1;
}

static int read_file(struct job *job, struct module *module)
{
	module->source = file_read(module->path);
	if (module->source)
		return 0;
	PyObject *os_error = PyDict_GetItemString(job->world.builtins, "OSError");
	PyErr_Format(os_error, "cannot read %U", module->file);
	return -1;
}

/* "/a/b.zip" and "c/" make "/a/b.zip/c", from which a zipimporter of that package is made. */
static PyObject *archive_folder(PyObject *archive, PyObject *prefix)
{
	const char *text = PyUnicode_AsUTF8(prefix);
	size_t length = text ? strlen(text) : 0;

	if (!text)
		return NULL;
	if (!length)
		return py_ref(archive);
	_cleanup_py_ PyObject *folder = PyUnicode_FromStringAndSize(
		text, (Py_ssize_t)length - (text[length - 1] == '/'));
	return folder ? PyUnicode_FromFormat("%U/%U", archive, folder) : NULL;
}

/* "c/d.py" of "/a/b.zip/c/d.py". */
static PyObject *member_of(PyObject *archive, PyObject *file)
{
	const char *text = PyUnicode_AsUTF8(file), *prefix = PyUnicode_AsUTF8(archive);
	size_t length = prefix ? strlen(prefix) : 0;

	if (!text || !prefix)
		return NULL;
	if (strlen(text) <= length || memcmp(text, prefix, length))
		return py_ref(file);
	return PyUnicode_FromString(text + length + 1);
}

static PyObject *read_with(struct job *job, const struct module *module, PyObject *path)
{
	_cleanup_py_ PyObject *archive = PyObject_GetAttrString(module->loader, "archive");
	_cleanup_py_ PyObject *prefix =
		archive ? PyObject_GetAttrString(module->loader, "prefix") : NULL;
	_cleanup_py_ PyObject *folder = prefix ? archive_folder(path, prefix) : NULL;
	_cleanup_py_ PyObject *member = folder ? member_of(archive, module->file) : NULL;
	_cleanup_py_ PyObject *importer =
		member ? py_call(job->world.zip_importer, folder) : NULL;

	return importer ? PyObject_CallMethod(importer, "get_data", "O", member) : NULL;
}

/* zipimport remembers the directory of each archive for ever, in its _zip_directory_cache: a
 * new importer reads that of the archive that is there now, and then the cache is put back, by
 * which the program's own importers live. module->path is where the archive is, also when the
 * program knows it by a relative path and has gone to another folder. */
static int read_from_archive(struct job *job, struct module *module)
{
	PyObject *cache = world_loaded(&job->world, "zipimport", "_zip_directory_cache");
	char *name;
	_cleanup_py_ PyObject *path = PyBytes_AsStringAndSize(module->path, &name, NULL)
					      ? NULL
					      : PyUnicode_DecodeFSDefault(name);
	_cleanup_py_ PyObject *before =
		path && cache ? py_ref(PyDict_GetItem(cache, path)) : NULL;
	struct py_pending pending;

	if (!path || !cache || (before && PyDict_DelItem(cache, path)))
		return -1;
	module->source = read_with(job, module, path);
	py_set_aside(&pending);
	if (before)
		PyDict_SetItem(cache, path, before);
	else if (PyDict_GetItem(cache, path))
		PyDict_DelItem(cache, path);
	py_bring_back(&pending);
	return module->source ? 0 : is_gone(&job->world);
}

/* What the loader calls the module: __main__ has another name of its own. */
static PyObject *name_for_loader(struct job *job, const struct module *module)
{
	PyObject *name = origin_of_spec(&job->world, module->live, NAME_NAME);

	return name ? name : py_ref(module->name);
}

/* What of the loader gives its source, if it has a way of its own. */
static PyObject *way_of(const struct module *module, int *is_by_name)
{
	PyObject *by_file = py_attribute(module->loader, "get_data");

	*is_by_name = !by_file;
	return by_file ? by_file : py_attribute(module->loader, "get_source");
}

static int read_by_loader(struct job *job, struct module *module)
{
	int is_by_name;
	_cleanup_py_ PyObject *way = way_of(module, &is_by_name);
	_cleanup_py_ PyObject *name = name_for_loader(job, module);

	if (!way)
		return read_file(job, module);
	module->source = py_call(way, is_by_name ? name : module->file);
	if (module->source == job->world.none) {
		Py_DecRef(py_take(&module->source));
		return 1;
	}
	return module->source ? 0 : is_gone(&job->world);
}

int source_has_way(const struct module *module)
{
	int is_by_name;
	_cleanup_py_ PyObject *way = way_of(module, &is_by_name);

	return way != NULL;
}

int source_read(struct job *job, struct module *module)
{
	switch (module->kind) {
	case MODULE_IN_ARCHIVE:
		return read_from_archive(job, module);
	case MODULE_OTHER:
		return read_by_loader(job, module);
	case MODULE_PLAIN:
		break;
	}
	return read_file(job, module);
}

/* --- compiling --------------------------------------------------------------------------- */

/* NULL without exception when it has no way of its own. */
static PyObject *compiler_of(const struct module *module)
{
	return module->kind == MODULE_OTHER ? py_attribute(module->loader, "source_to_code")
					    : NULL;
}

/* A loader that makes of the source what Python does need not be asked for parts of it. */
static int is_translated(struct job *job, const struct module *module)
{
	_cleanup_py_ PyObject *plain = compile(&job->world, module->source, module->file, 0);
	int same = plain ? code_is_same(&job->world, plain, module->code) : 0;

	if (same == 1)
		same = code_is_unmoved(plain, module->code);
	PyErr_Clear();
	return same != 1;
}

int source_compile(struct job *job, struct module *module)
{
	int status = source_read(job, module);
	_cleanup_py_ PyObject *compiler = status ? NULL : compiler_of(module);

	if (status)
		return status;
	source_let_run(job);
	module->code = compiler ? py_call(compiler, module->source, module->file)
				: compile(&job->world, module->source, module->file, 0);
	if (!module->code)
		return -1;
	if (!world_is_code(module->code)) {
		PyErr_SetString(job->world.error, "the loader made no code");
		return -1;
	}
	if (!module->old_file)
		module->old_file = code_file(module->code);
	module->is_translated = compiler && is_translated(job, module);
	return module->old_file ? 0 : -1;
}

PyObject *source_parse(struct job *job, const char *text)
{
	_cleanup_py_ PyObject *source = PyUnicode_FromString(text);
	_cleanup_py_ PyObject *file = PyUnicode_FromString("<pyhotpatch>");

	return source && file ? compile(&job->world, source, file, PYCF_ONLY_AST) : NULL;
}

PyObject *source_compile_tree(struct job *job, const struct module *module, PyObject *tree)
{
	_cleanup_py_ PyObject *compiler = module->is_translated ? compiler_of(module) : NULL;

	source_let_run(job);
	return compiler ? py_call(compiler, tree, module->file)
			: compile(&job->world, tree, module->file, 0);
}

/* The next collection of the program would go through all of its nodes, and there is one as
 * soon as the program runs: 8 ms for 10,000 lines, for which it was kept waiting already. The
 * types of nodes are made with the first tree. */
PyObject *source_tree(struct job *job, const struct module *module)
{
	_cleanup_py_ PyObject *first = job->world.has_node_types ? NULL : source_parse(job, "");
	struct ring_mark mark;

	job->world.has_node_types = 1;
	source_let_run(job);
	ring_mark(&mark, &job->world);
	PyObject *tree = compile(&job->world, module->source, module->file, PYCF_ONLY_AST);
	ring_untrack_since(&mark, &job->world, tree);
	return tree;
}

/* Two entries at the head of warnings.filters. Python/_warnings.c looks at that very list. */
PyObject *source_quiet(struct job *job)
{
	static const char *const categories[] = {"SyntaxWarning", "DeprecationWarning"};
	struct world *w = &job->world;
	PyObject *filters = world_loaded(w, "warnings", "filters");
	_cleanup_py_ PyObject *added = PyList_New(0);

	if (!py_is(filters, w->list) || !added)
		return NULL;
	for (size_t i = 0; i < sizeof(categories) / sizeof(*categories); i++) {
		PyObject *category = PyDict_GetItemString(w->builtins, categories[i]);
		_cleanup_py_ PyObject *entry =
			Py_BuildValue("(sOOOi)", "ignore", w->none, category, w->none, 0);
		if (!entry || PyList_Insert(filters, 0, entry) || PyList_Append(added, entry))
			PyErr_Clear();
	}
	return py_pair(filters, added);
}

void source_loud(PyObject *quiet)
{
	struct py_pending pending;

	if (!quiet)
		return;
	py_set_aside(&pending);
	PyObject *filters = py_first(quiet), *added = py_second(quiet);
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(added, i)); i++)
		for (Py_ssize_t at = 0; at < PyList_Size(filters); at++)
			if (PyList_GetItem(filters, at) == item) {
				PyList_SetSlice(filters, at, at + 1, NULL);
				break;
			}
	Py_DecRef(quiet);
	py_bring_back(&pending);
}

/* Their warnings are their own. */
void source_let_run(struct job *job)
{
	if (!job->is_selecting || !let_run_is_due(&job->world))
		return;
	int was_quiet = job->quiet != NULL;
	source_loud(py_take(&job->quiet));
	idle_let_run(job);
	if (was_quiet)
		job->quiet = source_quiet(job);
}
