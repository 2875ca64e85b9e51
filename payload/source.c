/* SPDX-License-Identifier: MIT
 *
 * Reading and compiling. What the import system does with a source file is done here too, with
 * the module's own loader, but no cache is read or written.
 */
#include "payload/source.h"

#include "payload/file.h"
#include "payload/freestanding.h"

#define PYCF_ONLY_AST 0x400 /* Include/compile.h, all versions */

static PyObject *loader_of(const struct world *w, const struct module *module)
{
	PyObject *spec = PyDict_GetItemString(module->live, "__spec__");
	PyObject *loader =
		spec && spec != w->none ? PyObject_GetAttrString(spec, "loader") : NULL;

	PyErr_Clear();
	return loader ? loader : py_ref(PyDict_GetItemString(module->live, "__loader__"));
}

/* The loader of ordinary files: what it does, we do without running its bytecode. */
static int is_plain_loader(const struct world *w, PyObject *loader)
{
	PyObject *importlib = PyDict_GetItemString(w->modules, "_frozen_importlib_external");
	PyObject *plain =
		importlib && world_is_module(w, importlib)
			? PyDict_GetItemString(PyModule_GetDict(importlib), "SourceFileLoader")
			: NULL;

	return !loader || loader == w->none || py_is(loader, plain);
}

static PyObject *compile(const struct world *w, PyObject *source, PyObject *file, long flags)
{
	PyObject *function = PyDict_GetItemString(w->builtins, "compile");
	_cleanup_py_ PyObject *args = Py_BuildValue("(OOsli)", source, file, "exec", flags, 1);

	return function && args ? PyObject_CallObject(function, args) : NULL;
}

/* The loader's own way to the bytes, when it has one; 1 when it has not. */
static int read_by_loader(struct module *module, PyObject *loader)
{
	_cleanup_py_ PyObject *get = PyObject_GetAttrString(loader, "get_data");

	if (!get) {
		PyErr_Clear();
		return 1;
	}
	module->source = py_call(get, module->file);
	return module->source ? 0 : -1;
}

static int read_file(struct job *job, struct module *module)
{
	module->source = file_read(module->file);
	if (module->source)
		return 0;
	PyObject *os_error = PyDict_GetItemString(job->world.builtins, "OSError");
	PyErr_Format(os_error, "cannot read %U", module->file);
	return -1;
}

int source_read(struct job *job, struct module *module)
{
	_cleanup_py_ PyObject *loader = loader_of(&job->world, module);
	int status = 1;

	if (!is_plain_loader(&job->world, loader))
		status = read_by_loader(module, loader);
	return status == 1 ? read_file(job, module) : status;
}

int source_compile(struct job *job, struct module *module)
{
	_cleanup_py_ PyObject *loader = loader_of(&job->world, module);
	_cleanup_py_ PyObject *compiler = NULL;

	if (source_read(job, module))
		return -1;
	if (!is_plain_loader(&job->world, loader))
		compiler = PyObject_GetAttrString(loader, "source_to_code");
	PyErr_Clear();
	module->code = compiler ? py_call(compiler, module->source, module->file)
				: compile(&job->world, module->source, module->file, 0);
	if (module->code && !py_is(module->code, job->world.code))
		PyErr_SetString(job->world.error, "the loader made no code");
	return module->code && py_is(module->code, job->world.code) ? 0 : -1;
}

PyObject *source_parse(struct job *job, const char *text)
{
	_cleanup_py_ PyObject *source = PyUnicode_FromString(text);
	_cleanup_py_ PyObject *file = PyUnicode_FromString("<pyhotpatch>");

	return source && file ? compile(&job->world, source, file, PYCF_ONLY_AST) : NULL;
}

PyObject *source_compile_tree(struct job *job, const struct module *module, PyObject *tree)
{
	return compile(&job->world, tree, module->file, 0);
}

PyObject *source_tree(struct job *job, const struct module *module)
{
	return compile(&job->world, module->source, module->file, PYCF_ONLY_AST);
}

/* Two entries at the head of warnings.filters. Python/_warnings.c looks at that very list. */
PyObject *source_quiet(struct job *job)
{
	static const char *const categories[] = {"SyntaxWarning", "DeprecationWarning"};
	struct world *w = &job->world;
	PyObject *warnings = PyDict_GetItemString(w->modules, "warnings");
	PyObject *filters =
		warnings && world_is_module(w, warnings)
			? PyDict_GetItemString(PyModule_GetDict(warnings), "filters")
			: NULL;
	_cleanup_py_ PyObject *added = PyList_New(0);

	if (!filters || !py_is(filters, w->list) || !added)
		return NULL;
	for (size_t i = 0; i < sizeof(categories) / sizeof(*categories); i++) {
		PyObject *category = PyDict_GetItemString(w->builtins, categories[i]);
		_cleanup_py_ PyObject *entry =
			Py_BuildValue("(sOOOi)", "ignore", w->none, category, w->none, 0);
		if (!entry || PyList_Insert(filters, 0, entry) || PyList_Append(added, entry))
			PyErr_Clear();
	}
	return PyTuple_Pack(2, filters, added);
}

void source_loud(struct job *job, PyObject *quiet)
{
	PyObject *kind, *value, *traceback;

	(void)job;
	if (!quiet)
		return;
	PyErr_Fetch(&kind, &value, &traceback);
	PyObject *filters = PyTuple_GetItem(quiet, 0), *added = PyTuple_GetItem(quiet, 1);
	for (Py_ssize_t i = 0; i < PyList_Size(added); i++)
		for (Py_ssize_t at = 0; at < PyList_Size(filters); at++)
			if (PyList_GetItem(filters, at) == PyList_GetItem(added, i)) {
				PyList_SetSlice(filters, at, at + 1, NULL);
				break;
			}
	Py_DecRef(quiet);
	PyErr_Restore(kind, value, traceback);
}
