/* SPDX-License-Identifier: MIT
 *
 * See import_search.h.
 */
#include "payload/diff/import_search.h"

#include "payload/base/freestanding.h"
#include "payload/python/node.h"
#include "payload/python/tree.h"
#include "payload/source/source.h"

/* import n as `bound`, or *, among the names of a from-import */
static int binds_name(PyObject *aliases, const struct import *wanted)
{
	int is_same = !PyUnicode_Compare(wanted->name, wanted->bound);
	PyObject *item;

	for (Py_ssize_t i = 0; (item = py_item(aliases, i)); i++) {
		_cleanup_py_ PyObject *name = node_name(item);
		_cleanup_py_ PyObject *bound = node_bound_name(item);
		if (is_same && !PyUnicode_CompareWithASCIIString(name, "*"))
			return !wanted->is_no_star;
		if (!PyUnicode_Compare(name, wanted->name) &&
		    !PyUnicode_Compare(bound, wanted->bound))
			return 1;
	}
	return 0;
}

static int is_import_of(PyObject *node, const struct module *importer,
			const struct import *wanted)
{
	_cleanup_py_ PyObject *module = node_imported_module(node, importer->live);
	_cleanup_py_ PyObject *aliases = node_field(node, "names");

	return module && aliases && py_type(module) == py_type(wanted->name) &&
	       !PyUnicode_Compare(module, wanted->module) && binds_name(aliases, wanted);
}

int import_nodes(PyObject *node, PyObject *out)
{
	static const char inner[] = "body\0orelse\0finalbody\0handlers\0";

	if (tree_is(node, "ImportFrom"))
		return PyList_Append(out, node);
	for (const char *field = inner; *field; field = text_next(field)) {
		_cleanup_py_ PyObject *list = node_field(node, field);
		PyObject *item;
		for (Py_ssize_t j = 0; (item = py_item(list, j)); j++)
			if (import_nodes(item, out))
				return -1;
	}
	return 0;
}

/* Behind `from leaf`: blanks or a continued line, then `import`. */
static int is_import_behind(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t' || *at == '\f'))
		at++;
	return at < end && (*at == '\\' || (end - at > 6 && !memcmp(at, "import", 6)));
}

/* Most sources say nowhere `leaf import`: those need not be parsed, which takes long. */
static int may_import_from(const struct world *w, PyObject *source, PyObject *module_name)
{
	const char *name = py_text(module_name);
	const char *leaf = name ? module_leaf(name) : "";
	Py_ssize_t size;
	char *text;

	if (!py_is(source, w->bytes)) /* a loader that has text */
		return 1;
	if (!*leaf || PyBytes_AsStringAndSize(source, &text, &size))
		return 0;
	size_t length = strlen(leaf);
	const char *end = text + size;
	for (const char *at = text; at + length < end; at++)
		if (*at == *leaf && !memcmp(at, leaf, length) &&
		    is_import_behind(at + length, end))
			return 1;
	return 0;
}

/* A new list; NULL with an exception when it has no source that can be read. */
static PyObject *parse_imports(struct job *job, const struct module *importer)
{
	_cleanup_py_ PyObject *tree = source_tree(job, importer);
	_cleanup_py_ PyObject *out = tree ? PyList_New(0) : NULL;

	return out && !import_nodes(tree, out) ? py_take(&out) : NULL;
}

/* Its from-imports if there may be one of that module; borrowed, or NULL. Each source is read
 * and parsed once, however many names are new. */
static PyObject *imports_of(struct job *job, PyObject *imports, struct module *importer,
			    PyObject *module_name)
{
	_cleanup_py_ PyObject *key = PyLong_FromLong((long)importer->live);
	PyObject *known = py_get(imports, key);

	if (!key || py_is(known, job->world.list))
		return known;
	if (known)
		importer->source = py_ref(known);
	else if (source_read(job, importer) || PyDict_SetItem(imports, key, importer->source))
		return NULL;
	if (!may_import_from(&job->world, importer->source, module_name))
		return NULL;
	_cleanup_py_ PyObject *list = parse_imports(job, importer);
	return list && !PyDict_SetItem(imports, key, list) ? list : NULL;
}

int import_is_in_source(struct job *job, PyObject *imports, struct module *importer,
			const struct import *wanted)
{
	PyObject *quiet = source_quiet(job);
	PyObject *list = imports_of(job, imports, importer, wanted->module);
	int found = 0;
	PyObject *item;

	for (Py_ssize_t i = 0; !found && (item = py_item(list, i)); i++)
		found = is_import_of(item, importer, wanted);
	PyErr_Clear();
	source_loud(quiet);
	Py_DecRef(py_take(&importer->source));
	return found;
}
