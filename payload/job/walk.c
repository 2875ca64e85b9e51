/* SPDX-License-Identifier: MIT
 *
 * Following wrappers down to functions. Only builtin attributes of builtin types are read, so
 * no code of the program runs.
 */
#include "payload/job/walk.h"

#include "payload/base/freestanding.h"
#include "payload/base/pointer_map.h"
#include "payload/python/code.h"
#include "payload/python/compare.h"

#define DEPTH_MAX 20

struct walk {
	const struct world *world;
	PyObject *globals, *module_name, *out;
	struct pointer_map seen;
	int depth;
};

/* Appends o.name (None stands for nothing), so that positions stay comparable. */
static int append_attribute(PyObject *list, PyObject *o, const char *name)
{
	_cleanup_py_ PyObject *value = py_attribute(o, name);

	return value ? PyList_Append(list, value) : 0;
}

static int append_own(const struct world *w, PyObject *list, PyObject *o, const char *name)
{
	_cleanup_py_ PyObject *value = world_own_item(w, o, name);

	return value ? PyList_Append(list, value) : 0;
}

static int append_cells(const struct world *w, PyObject *list, PyObject *function)
{
	PyObject *closure = PyFunction_GetClosure(function);
	PyObject *item;

	for (Py_ssize_t i = 0; (item = py_tuple_item(closure, i)); i++) {
		_cleanup_py_ PyObject *value = PyCell_Get(item);
		PyErr_Clear();
		if (PyList_Append(list, value ? value : w->none))
			return -1;
	}
	return 0;
}

static int append_inside(const struct world *w, PyObject *list, PyObject *o)
{
	if (world_is_function(o))
		return append_cells(w, list, o) || append_own(w, list, o, "__wrapped__");
	if (py_is(o, w->staticmethod) || py_is(o, w->classmethod) || py_is(o, w->method))
		return append_attribute(list, o, "__func__");
	if (py_is_a(o, w->property))
		return append_attribute(list, o, "fget") || append_attribute(list, o, "fset") ||
		       append_attribute(list, o, "fdel");
	if (py_is(o, w->lru_cache))
		return append_own(w, list, o, "__wrapped__");
	if (py_is(o, w->partial))
		return append_attribute(list, o, "func");
	if (py_is(o, w->cached_property))
		return append_own(w, list, o, "func");
	return 0;
}

PyObject *walk_inside(const struct world *w, PyObject *o)
{
	_cleanup_py_ PyObject *list = PyList_New(0);

	if (!list || append_inside(w, list, o))
		return NULL;
	return py_take(&list);
}

PyObject *walk_free_cell(PyObject *function, PyObject *name)
{
	PyObject *closure = PyFunction_GetClosure(function), *cell = NULL;
	_cleanup_py_ PyObject *names = code_free_names(PyFunction_GetCode(function));
	PyObject *item;

	for (Py_ssize_t i = 0; closure && (item = py_tuple_item(names, i)); i++)
		if (!PyUnicode_Compare(item, name))
			cell = PyTuple_GetItem(closure, i);
	return cell;
}

PyObject *walk_free_value(PyObject *function, PyObject *name)
{
	PyObject *cell = walk_free_cell(function, name);
	PyObject *value = cell ? PyCell_Get(cell) : NULL;

	PyErr_Clear();
	return value;
}

PyObject *walk_cache_size(PyObject *cache)
{
	_cleanup_py_ PyObject *info = PyObject_CallMethod(cache, "cache_info", NULL);
	_cleanup_py_ PyObject *size = info ? PyObject_GetAttrString(info, "maxsize") : NULL;

	PyErr_Clear();
	return py_take(&size);
}

static int is_package_above(PyObject *package, PyObject *name)
{
	const char *above = py_text(package), *text = py_text(name);
	size_t length = above ? strlen(above) : 0;

	PyErr_Clear();
	return text && length && strlen(text) > length && text[length] == '.' &&
	       !memcmp(text, above, length);
}

/* A class may say that it is of another module: of the package above (httpx, anyio), or of one
 * that shows it. Its functions know where they were written; without any a package is believed.
 */
static int is_of(const struct world *w, PyObject *class, PyObject *said, PyObject *module_name)
{
	_cleanup_py_ PyObject *names = world_type_dict(w, class);
	PyObject *key, *value;
	Py_ssize_t at = 0;

	while (names && PyDict_Next(names, &at, &key, &value)) {
		PyObject *home =
			world_is_function(value)
				? PyDict_GetItemString(PyFunction_GetGlobals(value), "__name__")
				: NULL;
		if (home && compare_constants(w, home, said))
			return 0;
		if (home && compare_constants(w, home, module_name))
			return 1;
	}
	return is_package_above(said, module_name);
}

static int is_class_of(const struct world *w, PyObject *type, PyObject *module_name)
{
	if (!world_is_class(type))
		return 0;
	_cleanup_py_ PyObject *names =
		py_call(w->dict_of_type, type); /* no copy: many are asked */
	_cleanup_py_ PyObject *said =
		names ? PyObject_GetItem(names, w->name[NAME_MODULE]) : NULL;
	PyErr_Clear();
	return world_is_str(said) &&
	       (!PyUnicode_Compare(said, module_name) || is_of(w, type, said, module_name));
}

int walk_is_class_of(const struct world *w, const struct module *m, PyObject *type)
{
	if (!world_is_class(type))
		return 0;
	if (is_class_of(w, type, m->name))
		return 1;
	_cleanup_py_ PyObject *said = world_type_attribute(type, "__module__");
	_cleanup_py_ PyObject *name = world_qualname(type);
	_cleanup_py_ PyObject *code = name ? code_find(m->code, name) : NULL;
	_cleanup_py_ PyObject *constants = code ? code_attribute(code, "co_consts") : NULL;
	PyErr_Clear();
	return said && constants && PySequence_Contains(constants, said) == 1;
}

static int visit(struct walk *walk, PyObject *o);

static int visit_values(struct walk *walk, PyObject *dict)
{
	_cleanup_py_ PyObject *values = PyDict_Values(dict);

	if (!values)
		return -1;
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(values, i)); i++)
		if (visit(walk, item))
			return -1;
	return 0;
}

static int visit_inside(struct walk *walk, PyObject *o)
{
	_cleanup_py_ PyObject *inside = walk_inside(walk->world, o);

	if (!inside)
		return -1;
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(inside, i)); i++)
		if (visit(walk, item))
			return -1;
	return 0;
}

static int is_of_interest(const struct world *w, PyObject *o)
{
	return world_is_function(o) || py_is(o, w->staticmethod) || py_is(o, w->classmethod) ||
	       py_is(o, w->method) || py_is_a(o, w->property) || py_is(o, w->lru_cache) ||
	       py_is(o, w->partial) || py_is(o, w->cached_property) || world_is_class(o);
}

static int visit(struct walk *walk, PyObject *o)
{
	const struct world *w = walk->world;

	if (walk->depth >= DEPTH_MAX || !is_of_interest(w, o))
		return 0;
	int status = pointer_map_add(&walk->seen, o);
	if (status <= 0)
		return status;
	if (world_is_function(o) && PyFunction_GetGlobals(o) == walk->globals &&
	    PyList_Append(walk->out, o))
		return -1;
	walk->depth++;
	if (is_class_of(w, o, walk->module_name)) {
		_cleanup_py_ PyObject *dict = world_type_dict(w, o);
		status = dict ? visit_values(walk, dict) : -1;
	} else {
		status = visit_inside(walk, o);
	}
	walk->depth--;
	return status;
}

int walk_functions(const struct world *world, PyObject *names, PyObject *globals,
		   PyObject *module_name, PyObject *out)
{
	struct walk walk = {
		.world = world, .globals = globals, .module_name = module_name, .out = out};
	int status = visit_values(&walk, names);

	pointer_map_fini(&walk.seen);
	return status;
}

int walk_is_definition(const struct world *w, const struct module *m, PyObject *name,
		       PyObject *value)
{
	_cleanup_py_ PyObject *single = PyDict_New(), *found = PyList_New(0);

	if (!found || py_put(single, name, value) ||
	    walk_functions(w, single, m->live, m->name, found))
		return -1;
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(found, i)); i++) {
		PyObject *code = PyFunction_GetCode(item);
		_cleanup_py_ PyObject *own = code_name(code);
		if (own && code_is_from(code, m->old_file) && !PyUnicode_Compare(own, name))
			return 1;
	}
	return 0;
}

int walk_subclasses(struct pointer_map *classes, const struct world *w, PyObject *class,
		    int depth)
{
	_cleanup_py_ PyObject *found = py_call(w->type_subclasses, class);
	int status = found && depth < 200 ? 0 : -1;
	PyObject *sub;

	for (Py_ssize_t i = 0; status >= 0 && (sub = py_item(found, i)); i++) {
		status = pointer_map_add(classes, sub);
		if (status == 1)
			status = walk_subclasses(classes, w, sub, depth + 1);
	}
	return status < 0 ? -1 : 0;
}
