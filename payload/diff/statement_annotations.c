/* SPDX-License-Identifier: MIT
 *
 * Annotations bind nothing that could be compared as values are: `x: int` leaves its mark in
 * __annotations__ alone, and from 3.14 on in the code of a function that computes them all.
 */
#include "payload/base/freestanding.h"
#include "payload/diff/selection.h"
#include "payload/python/code.h"
#include "payload/python/compare.h"
#include "payload/python/node.h"
#include "payload/python/tree.h"

int selection_annotate_alone(const struct world *w, PyObject *node)
{
	if (!tree_is(node, "AnnAssign"))
		return 0;
	return PyObject_SetAttrString(node, "value", w->none) ? -1 : 1;
}

/* Those of methods are functions of the same name, which the body does not bind. */
static PyObject *annotate_in(const struct stream *s)
{
	PyObject *code = NULL;

	for (int i = 0; i < s->count; i++) {
		PyObject *value = s->steps[i].value;
		if (s->steps[i].is_store &&
		    compare_is_name(value, "__annotate__ __annotate_func__"))
			return code;
		if (world_is_code(value))
			code = value;
	}
	return NULL;
}

int selection_is_annotate_other(const struct body *b, PyObject *live)
{
	const struct world *w = b->tokens->world;
	PyObject *new = annotate_in(&b->new);

	if (b->old.steps) {
		PyObject *old = annotate_in(&b->old);
		return old && new ? code_is_same(w, old, new) != 1 : old != new;
	}
	/* A maker (TypedDict) may have put one of its own there. */
	return world_is_function(live) &&
	       new &&code_are_namesakes(PyFunction_GetCode(live), new) &&
	       code_is_same(w, PyFunction_GetCode(live), new) != 1;
}

/* A block may have made it; `__x` is mangled, and `_x` may mean something to makers. */
static int is_made(const struct body *b, PyObject *name)
{
	const char *text = py_text(name);
	int found = !text || text[0] == '_';
	PyObject *node;

	for (Py_ssize_t i = 0; !found && (node = py_item(b->nodes, i)); i++) {
		_cleanup_py_ PyObject *target =
			tree_is(node, "AnnAssign") ? node_field(node, "target") : NULL;
		_cleanup_py_ PyObject *id = node_id(target);
		_cleanup_py_ PyObject *block =
			node_is_definition(node) ? NULL : node_body(node);
		found = block || compare_texts(id, name);
	}
	return found;
}

int selection_is_annotation_gone(const struct body *b, PyObject *names)
{
	PyObject *annotations = PyDict_GetItemString(names, "__annotations__");
	PyObject *name, *value;
	Py_ssize_t at = 0;

	if (selection_is_annotate_other(b, PyDict_GetItemString(names, "__annotate_func__")))
		return 1;
	if (!world_is_dict(annotations))
		return 0;
	while (PyDict_Next(annotations, &at, &name, &value))
		if (!is_made(b, name))
			return 1;
	return 0;
}
