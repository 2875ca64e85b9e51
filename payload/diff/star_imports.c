/* SPDX-License-Identifier: MIT
 *
 * See star_imports.h.
 */
#include "payload/diff/star_imports.h"

#include "payload/base/freestanding.h"
#include "payload/diff/import_search.h"
#include "payload/python/node.h"

int star_imports_is(PyObject *node)
{
	_cleanup_py_ PyObject *names = node_field(node, "names");

	return names && node_field_is(py_head(names), "name", "*");
}

/* The level is loaded, then ('*',) by a step with the token, then it is imported. What else
 * looks so is of no module that there is. */
static PyObject *stars_of(const struct tokens *t, const struct stream *s, int token)
{
	_cleanup_py_ PyObject *out = PyList_New(0);

	for (int i = s->count; out && i-- > 0;) {
		const struct step *step = &s->steps[i];
		PyObject *name = step->value, *level = i > 1 ? step[-2].value : NULL;
		int is_star =
			py_is(level, t->world->integer) && step[-1].token == token && name;
		if (!is_star && !step->is_store)
			continue;
		_cleanup_py_ PyObject *found = is_star ? py_pair(level, name) : py_ref(name);
		if (py_append(out, found))
			return NULL;
	}
	return py_take(&out);
}

int star_imports_note(struct selection *s)
{
	const struct world *w = &s->job->world;
	const struct tokens *t = &s->tokens;
	/* As tokens.c makes it. */
	_cleanup_py_ PyObject *what =
		Py_BuildValue("(i(O((Os))))", w->opcodes.load_const, w->tuple, w->str, "*");
	PyObject *number = py_get(t->numbers, what);

	if (!number)
		return what ? 0 : -1;
	int token = (int)PyLong_AsLong(number);
	_cleanup_py_ PyObject *new = stars_of(t, &s->body.new, token);
	_cleanup_py_ PyObject *old =
		s->module->old_code ? stars_of(t, &s->body.old, token) : py_ref(w->none);
	s->module->stars = py_pair(new, old);
	return s->module->stars ? 0 : -1;
}

int star_imports_lift(const struct selection *s, PyObject *block, PyObject *out)
{
	_cleanup_py_ PyObject *nodes = PyList_New(0);
	int status = nodes ? import_nodes(block, nodes) : -1;
	PyObject *node;

	for (Py_ssize_t i = 0; !status && (node = py_item(nodes, i)); i++) {
		_cleanup_py_ PyObject *module =
			star_imports_is(node) ? node_imported_module(node, s->module->live)
					      : NULL;
		if (py_get(s->job->world.modules, module))
			status = PyList_Append(out, node);
	}
	return status;
}
