/* SPDX-License-Identifier: MIT
 *
 * Without the old source: what an expression of the new one would be now. Constants, names of
 * constants, operators on them and values that types written in C make of them are computed; of
 * other names it is told what they are. No code of the program runs.
 */
#include "payload/base/freestanding.h"
#include "payload/diff/selection.h"
#include "payload/python/compare.h"
#include "payload/python/node.h"
#include "payload/python/tree.h"
#include "payload/source/source.h"

PyObject *selection_resolve(const struct selection *s, PyObject *node)
{
	const struct world *w = s->tokens.world;
	_cleanup_py_ PyObject *attribute = node_field(node, "attr");
	_cleanup_py_ PyObject *owner = attribute ? node_value(node) : NULL;
	_cleanup_py_ PyObject *id = node_id(owner ? owner : node);
	PyObject *value = py_get(s->module->live, id);

	if (id && !value)
		value = PyDict_GetItem(w->builtins, id);
	if (!value || !attribute)
		return value;
	return world_is_module(value) ? PyDict_GetItem(PyModule_GetDict(value), attribute)
				      : NULL;
}

/* A type written in C whose objects compare by value, so that nothing but the value is lost
 * when one is made again: a timedelta, a Decimal, a frozenset. A ContextVar has a hash alone.
 */
static int is_value_type(const struct world *w, PyObject *type)
{
	_cleanup_py_ PyObject *names =
		world_is_class(type) && type != w->object ? world_type_dict(w, type) : NULL;
	PyObject *hash = names ? PyDict_GetItemString(names, "__hash__") : NULL;

	return hash && hash != w->none && PyDict_GetItemString(names, "__eq__") &&
	       (PyType_GetFlags(type) & (PY_TYPE_IS_HEAP | PY_TYPE_IS_IMMUTABLE)) !=
		       PY_TYPE_IS_HEAP;
}

int selection_is_value_other(const struct world *w, PyObject *live, PyObject *value)
{
	if (compare_is_constant(w, live))
		return !compare_constants(w, live, value);
	return value != w->none && is_value_type(w, py_type(live)) &&
	       (py_type(live) != py_type(value) ||
		PyObject_RichCompareBool(live, value, PY_EQ) == 0);
}

struct expression {
	struct selection *s;
	PyObject *names; /* of the class around it; or NULL */
	PyObject *used;  /* dict: what its names are */
};

/* Of the module: what is bound once, and not by the import system. */
static int is_unstable(struct selection *s, PyObject *name)
{
	const char *text = py_text(name);
	int count = body_count_stores(&s->body.new, name);

	return !text || count > 1 || (!count && !memcmp(text, "__", 2));
}

/* The constant that a name was bound to which is gone again (`del`), or NULL. */
static PyObject *value_before(const struct selection *s, PyObject *name)
{
	const struct stream *old = &s->body.old;
	int at = stream_find_store(old, 0, old->count, name);

	return at && at < old->count &&
			       old->steps[at - 1].op == s->tokens.world->opcodes.load_const
		       ? old->steps[at - 1].value
		       : NULL;
}

/* A tuple may hold objects of the program. */
static int is_name_open(const struct expression *e, PyObject *node)
{
	const struct world *w = e->s->tokens.world;
	_cleanup_py_ PyObject *id = node_id(node);
	PyObject *value = py_get(e->names, id);
	int in_class = value != NULL;

	if (!value && id && !is_unstable(e->s, id))
		value = selection_resolve(e->s, node);
	if (!value && id && body_count_stores(&e->s->body.new, id) == 1)
		value = value_before(e->s, id);
	int is_maker = value && (py_is(value, w->module) || is_value_type(w, value));
	return !value ||
	       (!is_maker && (!compare_is_constant(w, value) || world_is_tuple(value))) ||
	       selection_is_rebound(e->s, id, in_class) || PyDict_SetItem(e->used, id, value);
}

static int is_open(PyObject *node, void *context)
{
	const struct expression *e = context;

	if (tree_is(node, "Name"))
		return is_name_open(e, node);
	if (tree_is(node, "Attribute")) {
		PyObject *value = selection_resolve(e->s, node);
		return !value || !is_value_type(e->s->tokens.world, value);
	}
	return !node_is_plain(node) && !tree_is(node, "Call keyword List");
}

PyObject *selection_value(struct selection *s, PyObject *names, PyObject *node)
{
	const struct world *w = s->tokens.world;
	_cleanup_py_ PyObject *used = PyDict_New();
	struct expression e = {.s = s, .names = names, .used = used};

	if (!used || tree_any(w, node, is_open, &e))
		return NULL;
	_cleanup_py_ PyObject *tree = source_parse(s->job, "x = 0");
	_cleanup_py_ PyObject *body = tree ? PyObject_GetAttrString(tree, "body") : NULL;
	_cleanup_py_ PyObject *code =
		body && !PyObject_SetAttrString(py_head(body), "value", node) &&
				!PyDict_SetItemString(used, "__builtins__", used)
			? source_compile_tree(s->job, s->module, tree)
			: NULL;
	_cleanup_py_ PyObject *none = code ? PyEval_EvalCode(code, used, used) : NULL;
	PyObject *value = none ? py_ref(PyDict_GetItemString(used, "x")) : NULL;
	/* What is made twice must be the same: a sentinel of 3.15 is not. */
	_cleanup_py_ PyObject *again = value && !compare_is_constant(w, value)
					       ? PyEval_EvalCode(code, used, used)
					       : NULL;
	if (again &&
	    PyObject_RichCompareBool(value, PyDict_GetItemString(used, "x"), PY_EQ) != 1)
		Py_DecRef(py_take(&value));
	if (used)
		PyDict_Clear(used);
	PyErr_Clear();
	return value;
}
