/* SPDX-License-Identifier: MIT
 *
 * Without the old source: does an import statement bring something else than what is there? Of
 * what names hold that were imported, modules, functions and classes tell where they are from.
 * The module may have bound the name anew since (as gevent does); so where nothing else of the
 * module changed, another module under the name alone counts, or what is at home in another
 * module where the statement brings what is at home in its own.
 */
#include "payload/base/freestanding.h"
#include "payload/diff/selection.h"
#include "payload/python/node.h"
#include "payload/python/tree.h"

static int is_text_same(PyObject *a, PyObject *b)
{
	return a && b && py_type(a) == py_type(b) && !PyUnicode_Compare(a, b);
}

/* `import a.b as c`: is c another module than a.b? Without `as` it is a. */
static int is_module_other(const struct world *w, PyObject *dotted, PyObject *live)
{
	PyObject *wanted = PyDict_GetItem(w->modules, dotted);
	PyObject *own = world_is_module(live)
				? PyDict_GetItemString(PyModule_GetDict(live), "__name__")
				: NULL;

	return wanted != live && world_is_str(own) && !is_text_same(own, dotted);
}

/* Where a function or class is from; NULL without exception for anything else. */
static PyObject *origin(PyObject *o)
{
	PyObject *name =
		world_is_function(o)
			? py_ref(PyDict_GetItemString(PyFunction_GetGlobals(o), "__name__"))
		: world_is_class(o) ? world_type_attribute(o, "__module__")
				    : NULL;

	PyErr_Clear();
	return name;
}

/* Does the module that it is from have it, under its own name? */
static int is_at_home(const struct world *w, PyObject *o, PyObject *origin)
{
	PyObject *module = PyDict_GetItem(w->modules, origin);
	_cleanup_py_ PyObject *name =
		world_is_class(o) ? world_name(o) : PyObject_GetAttrString(o, "__name__");

	PyErr_Clear();
	return name && world_is_module(module) &&
	       PyDict_GetItem(PyModule_GetDict(module), name) == o;
}

static int is_from_other(const struct selection *s, PyObject *module_name, PyObject *name,
			 PyObject *live)
{
	const struct world *w = s->tokens.world;
	PyObject *module = PyDict_GetItem(w->modules, module_name);
	_cleanup_py_ PyObject *dotted = world_dotted(module_name, name);
	_cleanup_py_ PyObject *from = origin(live);
	int is_certain = from && !is_text_same(from, module_name) && is_at_home(w, live, from);

	if (!world_is_module(module))
		return !module && (!s->is_deciding || is_certain);
	PyObject *value = PyDict_GetItem(PyModule_GetDict(module), name);
	if (!value && dotted)
		value = PyDict_GetItem(w->modules, dotted);
	if (!value || value == live)
		return 0;
	if (world_is_module(value) && world_is_module(live))
		return !s->is_deciding;
	_cleanup_py_ PyObject *wanted = origin(value);
	if (s->is_deciding)
		return is_certain && is_text_same(wanted, module_name);
	return wanted && from && !is_text_same(wanted, from);
}

static PyObject *without_tail(PyObject *dotted)
{
	const char *text = PyUnicode_AsUTF8(dotted);
	Py_ssize_t length = 0;

	while (text && text[length] && text[length] != '.')
		length++;
	return text ? PyUnicode_FromStringAndSize(text, length) : NULL;
}

static int is_alias_other(struct selection *s, PyObject *module, PyObject *alias,
			  PyObject *names)
{
	const struct world *w = s->tokens.world;
	_cleanup_py_ PyObject *name = node_name(alias);
	_cleanup_py_ PyObject *as = node_field(alias, "asname");
	_cleanup_py_ PyObject *first = name && !module ? without_tail(name) : NULL;
	PyObject *bound = world_is_str(as) ? as : module ? name : first;
	PyObject *live = py_get(names, bound);

	if (!live || body_count_stores(&s->body.new, bound) != 1 ||
	    selection_is_rebound(s, bound, 0))
		return 0;
	if (module)
		return is_from_other(s, module, name, live);
	return is_module_other(w, bound == as ? name : first, live);
}

int selection_is_import_other(struct selection *s, PyObject *node, PyObject *names)
{
	int is_from = tree_is(node, "ImportFrom"), other = 0;
	_cleanup_py_ PyObject *aliases =
		is_from || tree_is(node, "Import") ? node_field(node, "names") : NULL;
	_cleanup_py_ PyObject *module =
		is_from ? node_imported_module(node, s->module->live) : NULL;

	if (!aliases || (is_from && !world_is_str(module)))
		return 0;
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(aliases, i)); i++)
		other |= is_alias_other(s, module, item, names);
	PyErr_Clear();
	return other;
}
