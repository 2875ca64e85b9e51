/* SPDX-License-Identifier: MIT
 *
 * See infer.h. The invariant: what the program itself may have changed since (a counter, a
 * cache, a name that a branch binds) is no sign of a new source. To miss a change of such a
 * thing is told by the next edit; to run a module again that nobody edited would lose its
 * state.
 */
#include "payload/source/infer.h"

#include "payload/base/freestanding.h"
#include "payload/job/walk.h"
#include "payload/python/tree.h"
#include "payload/source/source.h"

/* A name to look for in a syntax tree, and how often it was met. */
struct binding {
	PyObject *name;
	int count;
};

static int is_rebound(PyObject *node, void *context)
{
	struct binding *binding = context;
	_cleanup_py_ PyObject *names = NULL, *id = NULL;

	if (TREE_IS(node, "Global")) {
		names = PyObject_GetAttrString(node, "names");
		return names && PySequence_Contains(names, binding->name) == 1;
	}
	if (TREE_IS(node, "AugAssign", "Delete"))
		return 0; /* its target is a Name below, and counts there */
	if (!TREE_IS(node, "Name"))
		return 0;
	_cleanup_py_ PyObject *use = PyObject_GetAttrString(node, "ctx");
	id = use && TREE_IS(use, "Store", "Del") ? PyObject_GetAttrString(node, "id") : NULL;
	if (id && !PyUnicode_Compare(id, binding->name))
		binding->count++;
	return binding->count > 1;
}

/* Names that are bound more than once, or that a function declares global, say nothing. */
static int says_nothing(struct job *job, PyObject *tree, PyObject *name)
{
	struct binding binding = {.name = name};

	return tree_any(&job->world, tree, is_rebound, &binding);
}

/* The value of a constant's node; before 3.8 Num and Str had nodes of their own. */
static PyObject *literal_of(PyObject *node)
{
	static const char *const fields[] = {"value", "n", "s"};
	PyObject *literal = NULL;

	for (size_t i = 0; !literal && i < sizeof(fields) / sizeof(*fields); i++) {
		PyErr_Clear();
		literal = PyObject_GetAttrString(node, fields[i]);
	}
	PyErr_Clear();
	return literal;
}

/* Does an assignment of a literal in the new source disagree with the live value? */
static int is_literal_different(struct job *job, const struct module *module, PyObject *tree,
				PyObject *node)
{
	_cleanup_py_ PyObject *targets = PyObject_GetAttrString(node, "targets");
	_cleanup_py_ PyObject *value = targets ? PyObject_GetAttrString(node, "value") : NULL;
	PyErr_Clear();
	_cleanup_py_ PyObject *literal = value ? literal_of(value) : NULL;

	if (!literal || PyList_Size(targets) != 1 ||
	    !(py_is(literal, job->world.str) || py_is(literal, job->world.bytes) ||
	      py_is(literal, job->world.integer) || py_is(literal, job->world.real) ||
	      py_is(literal, job->world.boolean) || literal == job->world.none))
		return 0;
	_cleanup_py_ PyObject *name = PyObject_GetAttrString(PyList_GetItem(targets, 0), "id");
	PyErr_Clear();
	PyObject *live = name ? PyDict_GetItem(module->live, name) : NULL;
	if (!live)
		return name != NULL;
	if (py_type(live) == py_type(literal) &&
	    PyObject_RichCompareBool(live, literal, PY_EQ) == 1)
		return 0;
	return !says_nothing(job, tree, name);
}

int infer_from_literals(struct job *job, const struct module *module)
{
	_cleanup_py_ PyObject *tree = source_tree(job, module);
	_cleanup_py_ PyObject *body = tree ? PyObject_GetAttrString(tree, "body") : NULL;
	int different = 0;

	for (Py_ssize_t i = 0; body && !different && i < PyList_Size(body); i++)
		different = is_literal_different(job, module, tree, PyList_GetItem(body, i));
	PyErr_Clear();
	return different;
}

/* --- names that are not there yet --- */

static int is_deletion(PyObject *node, void *context)
{
	_cleanup_py_ PyObject *use =
		TREE_IS(node, "Name") ? PyObject_GetAttrString(node, "ctx") : NULL;
	_cleanup_py_ PyObject *id =
		use && TREE_IS(use, "Del") ? PyObject_GetAttrString(node, "id") : NULL;

	return id && !PyUnicode_Compare(id, context);
}

struct names {
	struct job *job;
	PyObject *tree;
	PyObject *live; /* dict: the names that are there */
	int only_functions;
};

/* `__x` in a class body becomes `_C__x`; nobody misses it here. */
static int is_mangled(PyObject *name)
{
	const char *text = PyUnicode_AsUTF8(name);
	size_t length = text ? strlen(text) : 0;

	return length > 2 && !memcmp(text, "__", 2) && memcmp(text + length - 2, "__", 2) != 0;
}

static int is_missing(const struct names *names, PyObject *name)
{
	return py_is(name, names->job->world.str) && !PyDict_GetItem(names->live, name) &&
	       !is_mangled(name) &&
	       !tree_any(&names->job->world, names->tree, is_deletion, name);
}

static int is_field_missing(const struct names *names, PyObject *node, const char *field)
{
	_cleanup_py_ PyObject *name = PyObject_GetAttrString(node, field);

	PyErr_Clear();
	return name && is_missing(names, name);
}

static int is_target_missing(const struct names *names, PyObject *node)
{
	_cleanup_py_ PyObject *targets = PyObject_GetAttrString(node, "targets");

	for (Py_ssize_t i = 0; targets && i < PyList_Size(targets); i++)
		if (TREE_IS(PyList_GetItem(targets, i), "Name") &&
		    is_field_missing(names, PyList_GetItem(targets, i), "id"))
			return 1;
	PyErr_Clear();
	return 0;
}

/* import a.b binds a; from m import n as x binds x */
static int is_import_missing(const struct names *names, PyObject *node)
{
	_cleanup_py_ PyObject *aliases = PyObject_GetAttrString(node, "names");

	for (Py_ssize_t i = 0; aliases && i < PyList_Size(aliases); i++) {
		PyObject *alias = PyList_GetItem(aliases, i);
		_cleanup_py_ PyObject *as = PyObject_GetAttrString(alias, "asname");
		_cleanup_py_ PyObject *name = PyObject_GetAttrString(alias, "name");
		const char *text = name ? PyUnicode_AsUTF8(name) : NULL;
		size_t length = 0;

		while (text && text[length] && text[length] != '.' && text[length] != '*')
			length++;
		_cleanup_py_ PyObject *first =
			length ? PyUnicode_FromStringAndSize(text, (Py_ssize_t)length) : NULL;
		PyErr_Clear();
		if (as && as != names->job->world.none ? is_missing(names, as)
						       : first && is_missing(names, first))
			return 1;
	}
	PyErr_Clear();
	return 0;
}

static int is_any_missing(const struct names *names, PyObject *body);

/* The body of a class against the live class's attributes. A metaclass may have taken what is
 * no function away (an enum's members before 3.11, a form's fields, a model's Meta). */
static int is_any_missing_in_class(const struct names *names, PyObject *node)
{
	_cleanup_py_ PyObject *name = PyObject_GetAttrString(node, "name");
	_cleanup_py_ PyObject *body = PyObject_GetAttrString(node, "body");
	PyObject *class = name ? PyDict_GetItem(names->live, name) : NULL;

	PyErr_Clear();
	if (!body || !class || !world_is_class(&names->job->world, class))
		return 0;
	_cleanup_py_ PyObject *dict = world_type_dict(&names->job->world, class);
	const struct names inner = {names->job, names->tree, dict,
				    !py_is(class, names->job->world.type)};
	return dict && is_any_missing(&inner, body);
}

/* Only what is bound in any case counts: a branch may not have been taken. */
static int is_any_missing(const struct names *names, PyObject *body)
{
	for (Py_ssize_t i = 0; i < PyList_Size(body); i++) {
		PyObject *node = PyList_GetItem(body, i);

		if (TREE_IS(node, "FunctionDef", "AsyncFunctionDef") &&
		    is_field_missing(names, node, "name"))
			return 1;
		if (names->only_functions)
			continue;
		if (TREE_IS(node, "ClassDef") && is_field_missing(names, node, "name"))
			return 1;
		if (TREE_IS(node, "ClassDef") && is_any_missing_in_class(names, node))
			return 1;
		if (TREE_IS(node, "Assign") && is_target_missing(names, node))
			return 1;
		if (TREE_IS(node, "Import", "ImportFrom") && is_import_missing(names, node))
			return 1;
	}
	return 0;
}

/* `from __future__ import annotations` binds its name like any other import. */
int infer_change(struct job *job, struct module *module, int functions_agree)
{
	module->is_changed = 1;
	if (!functions_agree || infer_from_literals(job, module))
		return 0;
	_cleanup_py_ PyObject *tree = source_tree(job, module);
	_cleanup_py_ PyObject *body = tree ? PyObject_GetAttrString(tree, "body") : NULL;
	const struct names names = {job, tree, module->live, 0};
	if (!body) { /* a loader's own language */
		PyErr_Clear();
		module->is_changed = 0;
		return 0;
	}
	module->is_changed = is_any_missing(&names, body) != 0;
	return 0;
}
