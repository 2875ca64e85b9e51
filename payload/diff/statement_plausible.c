/* SPDX-License-Identifier: MIT
 *
 * Without the old source: may what stands around a class (decorators, bases) have made what is
 * there? Only names and names in modules are followed, for no code may run. What is not known
 * counts as plausible: a decorator may return anything, a metaclass change the bases.
 */
#include "payload/base/freestanding.h"
#include "payload/diff/selection.h"
#include "payload/python/compare.h"
#include "payload/python/node.h"
#include "payload/python/tree.h"

/* typing's make protocols and TypedDicts. */
static int is_of_typing(PyObject *meta)
{
	_cleanup_py_ PyObject *module = world_type_attribute(meta, "__module__");

	PyErr_Clear();
	return module && !PyUnicode_CompareWithASCIIString(module, "typing");
}

static int takes_away(const struct world *w, PyObject *class)
{
	return !py_is(class, w->type) && !py_is(class, w->abc_meta) &&
	       !py_is_a(class, w->enum_type) && !is_of_typing(py_type(class));
}

/* 0 without decorators, 1 for @dataclass alone, -1 when another may have made another class. */
static int count_dataclass(const struct selection *s, PyObject *node)
{
	PyObject *maker = world_loaded(s->tokens.world, "dataclasses", "dataclass");
	_cleanup_py_ PyObject *decorators = node_decorators(node);
	Py_ssize_t count = decorators ? PyList_Size(decorators) : -1;

	if (count < 1)
		return (int)count;
	PyObject *first = py_head(decorators);
	_cleanup_py_ PyObject *called = node_field(first, "func");
	return count == 1 && maker && selection_resolve(s, called ? called : first) == maker
		       ? 1
		       : -1;
}

int selection_is_plain_class(const struct selection *s, PyObject *node, PyObject *live)
{
	return !takes_away(s->tokens.world, live) && count_dataclass(s, node) >= 0;
}

/* `module.name` of a module that has no such name yet, and would not make one up. */
static int lacks_attribute(const struct selection *s, PyObject *node)
{
	_cleanup_py_ PyObject *name = node_field(node, "attr");
	_cleanup_py_ PyObject *owner = name ? node_value(node) : NULL;
	PyObject *module = owner ? selection_resolve(s, owner) : NULL;

	return py_is(module, s->tokens.world->module) &&
	       !PyDict_GetItem(PyModule_GetDict(module), name) &&
	       !PyDict_GetItemString(PyModule_GetDict(module), "__getattr__");
}

/* Is what an expression names no base of the class? -1 when that cannot be told: a name may
 * have been bound anew since, a module patched with a class of the same name. */
static int is_base_other(struct selection *s, const struct body *outer, PyObject *node,
			 PyObject *bases)
{
	const struct world *w = s->tokens.world;
	PyObject *value = selection_resolve(s, node);
	_cleanup_py_ PyObject *id = node_id(node);
	int stores = id ? body_count_stores(&outer->new, id) : 0;

	if (lacks_attribute(s, node))
		return 1;
	if (outer != &s->body) /* what it names may be an attribute of the class around it */
		return -1;
	if (!value && stores)
		return !selection_is_dropped(outer, id);
	if (!world_is_class(value) || takes_away(w, value) || is_of_typing(py_type(value)) ||
	    stores > 1 || (id && selection_is_rebound(s, id, 0)))
		return -1;
	_cleanup_py_ PyObject *name = world_name(value);
	int other = name != NULL;
	PyObject *item;
	for (Py_ssize_t i = 0; other && (item = py_tuple_item(bases, i)); i++) {
		_cleanup_py_ PyObject *old = world_name(item);
		other = old && PyUnicode_Compare(old, name);
	}
	return other;
}

static int is_order_same(const struct selection *s, PyObject *nodes, PyObject *bases)
{
	PyObject *base;
	for (Py_ssize_t i = 0; (base = py_tuple_item(bases, i)); i++) {
		PyObject *value = selection_resolve(s, PyList_GetItem(nodes, i));
		for (Py_ssize_t k = 0; value != base && k < PyTuple_Size(bases); k++)
			if (PyTuple_GetItem(bases, k) == value)
				return 0;
	}
	return 1;
}

/* Is each base known to be one of the live class, and are they as many? Those that are not
 * known count as plausible. Type parameters add typing.Generic. */
static int are_bases_plausible(struct selection *s, const struct body *outer, PyObject *node,
			       PyObject *live)
{
	_cleanup_py_ PyObject *bases = node_field(node, "bases");
	_cleanup_py_ PyObject *now = world_bases(live);
	Py_ssize_t count = py_count(bases);
	_cleanup_py_ PyObject *parameters = node_field(node, "type_params");
	int known = !parameters || !PyList_Size(parameters);

	if (!now)
		return 1;
	for (Py_ssize_t i = 0; i < count; i++) {
		int other = is_base_other(s, outer, PyList_GetItem(bases, i), now);
		if (other > 0)
			return 0;
		known &= !other;
	}
	if (!known)
		return 1;
	if (PyTuple_Size(now) == count && count > 1)
		return is_order_same(s, bases, now);
	return PyTuple_Size(now) == count ||
	       (!count && PyTuple_Size(now) == 1 && py_first(now) == s->tokens.world->object);
}

/* The value of `name=` in a call or class statement. New reference, or NULL. */
static PyObject *keyword(PyObject *node, const char *name)
{
	_cleanup_py_ PyObject *keywords = node_field(node, "keywords");
	PyObject *item;

	for (Py_ssize_t i = 0; (item = py_item(keywords, i)); i++) {
		_cleanup_py_ PyObject *own = node_field(item, "arg");
		if (world_is_str(own) && !PyUnicode_CompareWithASCIIString(own, name))
			return node_value(item);
	}
	return NULL;
}

/* Has an undecorated class the metaclass that it says, or one that its bases bring? */
static int is_metaclass_plausible(const struct selection *s, PyObject *node, PyObject *live)
{
	const struct world *w = s->tokens.world;
	_cleanup_py_ PyObject *said = keyword(node, "metaclass");
	_cleanup_py_ PyObject *nodes = node_field(node, "bases");
	_cleanup_py_ PyObject *bases = world_bases(live);
	PyObject *meta = said ? selection_resolve(s, said) : NULL;

	if (said || py_is(live, w->type) || !bases)
		return !world_is_class(meta) || PyType_IsSubtype(py_type(live), meta);
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(nodes, i)); i++)
		if (!tree_is(item, "Name Attribute"))
			return 1; /* with_metaclass(...) */
	for (Py_ssize_t i = 0; (item = py_tuple_item(bases, i)); i++)
		if (py_is_a(item, py_type(live)))
			return 1;
	return is_of_typing(py_type(live)); /* TypedDict leaves none */
}

/* Were the parameters of dataclass() those that are there? */
static int are_parameters_plausible(struct selection *s, PyObject *node, PyObject *names)
{
	static const char known[] =
		"init\0repr\0eq\0match_args\0" /* these are True by default */
		"order\0unsafe_hash\0frozen\0kw_only\0slots\0";
	const struct world *w = s->tokens.world;
	PyObject *there = PyDict_GetItemString(names, "__dataclass_params__");
	_cleanup_py_ PyObject *decorators = node_decorators(node);
	PyObject *call = py_head(decorators);
	const char *name = known;

	for (int i = 0; there && *name; i++, name = text_next(name)) {
		/* match_args is there from 3.12 on */
		_cleanup_py_ PyObject *now = py_attribute(there, name);
		_cleanup_py_ PyObject *said = keyword(call, name);
		_cleanup_py_ PyObject *wanted =
			said ? selection_value(s, NULL, said) : PyBool_FromLong(i < 4);
		PyErr_Clear();
		if (now && wanted && !compare_constants(w, now, wanted))
			return 0;
	}
	return there != NULL;
}

int selection_is_header_plausible(struct selection *s, const struct body *outer, PyObject *node,
				  PyObject *live)
{
	_cleanup_py_ PyObject *names = world_type_dict(s->tokens.world, live);
	int count = count_dataclass(s, node);

	PyErr_Clear();
	if (!names || (!count && !is_metaclass_plausible(s, node, live)))
		return !names;
	if (!selection_is_plain_class(s, node, live))
		return 1;
	return are_bases_plausible(s, outer, node, live) &&
	       (!count || are_parameters_plausible(s, node, names));
}
