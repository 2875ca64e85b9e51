/* SPDX-License-Identifier: MIT
 *
 * Without the old source: may what stands around a class (decorators, bases) have made what is
 * there? Only names and names in modules are followed, for no code may run. What is not known
 * counts as plausible: a decorator may return anything, a metaclass change the bases.
 */
#include "payload/base/freestanding.h"
#include "payload/diff/selection.h"
#include "payload/python/node.h"
#include "payload/python/tree.h"

/* What a name, or the name in a module, is now; borrowed. NULL for any other expression. */
static PyObject *resolve(const struct selection *s, PyObject *node)
{
	const struct world *w = s->tokens.world;
	_cleanup_py_ PyObject *attribute = node_field(node, "attr");
	_cleanup_py_ PyObject *owner = attribute ? node_field(node, "value") : NULL;
	_cleanup_py_ PyObject *id = node_field(owner ? owner : node, "id");
	PyObject *value = id ? PyDict_GetItem(s->module->live, id) : NULL;

	if (id && !value)
		value = PyDict_GetItem(w->builtins, id);
	if (!value || !attribute)
		return value;
	return world_is_module(w, value) ? PyDict_GetItem(PyModule_GetDict(value), attribute)
					 : NULL;
}

static int takes_away(const struct world *w, PyObject *class)
{
	return !py_is(class, w->type) && !py_is(class, w->abc_meta) &&
	       !py_is_a(class, w->enum_type);
}

/* 0 without decorators, 1 for @dataclass alone, -1 when another may have made another class. */
static int count_dataclass(const struct selection *s, PyObject *node)
{
	PyObject *module = PyDict_GetItemString(s->tokens.world->modules, "dataclasses");
	PyObject *maker = module && world_is_module(s->tokens.world, module)
				  ? PyDict_GetItemString(PyModule_GetDict(module), "dataclass")
				  : NULL;
	_cleanup_py_ PyObject *decorators = node_field(node, "decorator_list");
	Py_ssize_t count = decorators ? PyList_Size(decorators) : -1;

	if (count < 1)
		return (int)count;
	PyObject *first = PyList_GetItem(decorators, 0);
	_cleanup_py_ PyObject *called = node_field(first, "func");
	return count == 1 && maker && resolve(s, called ? called : first) == maker ? 1 : -1;
}

int selection_is_plain_class(const struct selection *s, PyObject *node, PyObject *live)
{
	return !takes_away(s->tokens.world, live) && count_dataclass(s, node) >= 0;
}

/* Is what an expression names no base of the class? -1 when that cannot be told: a name may
 * have been bound anew since, a module patched with a class of the same name. */
static int is_base_other(struct selection *s, const struct body *outer, PyObject *node,
			 PyObject *bases)
{
	const struct world *w = s->tokens.world;
	PyObject *value = resolve(s, node);
	_cleanup_py_ PyObject *id = node_field(node, "id");
	int stores = id ? body_count_stores(outer, &outer->new, id) : 0;

	if (outer != &s->body) /* what it names may be an attribute of the class around it */
		return -1;
	if (!value && stores)
		return !selection_is_dropped(outer, id);
	if (!value || !world_is_class(w, value) || takes_away(w, value) || stores > 1 ||
	    (id && selection_is_rebound(s, id, 0)))
		return -1;
	_cleanup_py_ PyObject *name = world_type_attribute(value, "__name__");
	int other = name != NULL;
	for (Py_ssize_t i = 0; other && i < PyTuple_Size(bases); i++) {
		_cleanup_py_ PyObject *old =
			world_type_attribute(PyTuple_GetItem(bases, i), "__name__");
		other = old && PyUnicode_Compare(old, name);
	}
	return other;
}

/* Is each base known to be one of the live class, and are they as many? Those that are not
 * known count as plausible. Type parameters add typing.Generic. */
static int are_bases_plausible(struct selection *s, const struct body *outer, PyObject *node,
			       PyObject *live)
{
	_cleanup_py_ PyObject *bases = node_field(node, "bases");
	_cleanup_py_ PyObject *now = world_type_attribute(live, "__bases__");
	Py_ssize_t count = bases ? PyList_Size(bases) : 0;
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
	return PyTuple_Size(now) == count ||
	       (!count && PyTuple_Size(now) == 1 &&
		PyTuple_GetItem(now, 0) == s->tokens.world->object);
}

int selection_is_header_plausible(struct selection *s, const struct body *outer, PyObject *node,
				  PyObject *live)
{
	_cleanup_py_ PyObject *names = world_type_dict(s->tokens.world, live);

	PyErr_Clear();
	if (!names || !selection_is_plain_class(s, node, live))
		return 1;
	return are_bases_plausible(s, outer, node, live) &&
	       (count_dataclass(s, node) == 0 ||
		PyDict_GetItemString(names, "__dataclass_fields__"));
}
