/* SPDX-License-Identifier: MIT
 *
 * Without the old source: names that do not keep what the statement of the body gave them. The
 * module unbinds them, its functions bind them anew, or a star import does.
 */
#include "payload/base/freestanding.h"
#include "payload/diff/selection.h"
#include "payload/diff/star_imports.h"
#include "payload/python/node.h"
#include "payload/python/tree.h"
#include "payload/source/source.h"

/* globals().pop(name) as well, for all that is known. */
int selection_is_dropped(const struct body *b, PyObject *name)
{
	const struct opcodes *opcodes = &b->tokens->world->opcodes;

	for (int i = 0; i < b->new.count; i++) {
		const struct step *step = &b->new.steps[i];
		if ((step->op == opcodes->delete_name &&
		     !PyUnicode_Compare(step->value, name)) ||
		    (step->op == opcodes->load_name &&
		     !PyUnicode_CompareWithASCIIString(step->value, "globals")))
			return 1;
	}
	return 0;
}

/* Classes that came by `from m import *` in the place of the module's own: faster ones, in C.
 */
static int note_star(struct selection *s, PyObject *node)
{
	const struct world *w = s->tokens.world;
	_cleanup_py_ PyObject *from = node_imported_module(node, s->module->live);
	PyObject *module = py_get(w->modules, from);
	PyObject *name, *value;
	Py_ssize_t at = 0;

	if (!world_is_module(module))
		return 0;
	while (PyDict_Next(PyModule_GetDict(module), &at, &name, &value))
		if (world_is_class(value) && PyDict_GetItem(s->module->live, name) == value &&
		    PySet_Add(s->rebound[0], name))
			return 1;
	return 0;
}

/* `global name` in a function; of a class `C.name = ...`, but not `self.name = ...`. */
static int note_binding(PyObject *node, void *context)
{
	struct selection *s = context;

	if (star_imports_is(node))
		return note_star(s, node);
	_cleanup_py_ PyObject *names =
		tree_is(node, "Global") ? node_field(node, "names") : NULL;
	_cleanup_py_ PyObject *attribute =
		tree_is(node, "Attribute") ? node_field(node, "attr") : NULL;
	_cleanup_py_ PyObject *use = attribute ? node_field(node, "ctx") : NULL;
	_cleanup_py_ PyObject *owner = use ? node_value(node) : NULL;
	PyObject *item;

	for (Py_ssize_t i = 0; (item = py_item(names, i)); i++)
		if (PySet_Add(s->rebound[0], item))
			return 1;
	if (!use || !tree_is(use, "Store Del") || node_field_is(owner, "id", "self"))
		return 0;
	return PySet_Add(s->rebound[1], attribute) ||
	       (tree_is(use, "Del") && PySet_Add(s->rebound[REBOUND_DELETED], attribute));
}

static int find_rebound(struct selection *s)
{
	_cleanup_py_ PyObject *tree = source_tree(s->job, s->module);

	s->rebound[0] = PySet_New(NULL);
	s->rebound[1] = PySet_New(NULL);
	s->rebound[REBOUND_DELETED] = PySet_New(NULL);
	return !tree || !s->rebound[0] || !s->rebound[1] || !s->rebound[REBOUND_DELETED] ||
	       tree_any(s->tokens.world, tree, note_binding, s);
}

int selection_is_rebound(struct selection *s, PyObject *name, int which)
{
	int failed = !s->rebound[0] && find_rebound(s);

	PyErr_Clear();
	return failed || PySet_Contains(s->rebound[which], name) != 0;
}
