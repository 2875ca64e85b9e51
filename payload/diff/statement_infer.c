/* SPDX-License-Identifier: MIT
 *
 * Inference: what runs is not known (no .pyc agrees with it, no earlier attach), so each
 * statement of the new source is judged by what is there now.
 *
 *   - a function or class changed when its code differs from the live one's;
 *   - a name that is bound once, to a constant, changed when its value differs and no function
 *     rebinds it;
 *   - a statement that binds a name which is missing is new;
 *   - everything else is taken as unchanged.
 */
#include "payload/base/freestanding.h"
#include "payload/diff/selection.h"
#include "payload/job/walk.h"
#include "payload/python/bytecode.h"
#include "payload/python/code.h"
#include "payload/python/compare.h"
#include "payload/python/node.h"
#include "payload/python/tree.h"

static int add_rebound(struct selection *s, PyObject *code)
{
	struct tokens *t = &s->tokens;
	_cleanup_py_ PyObject *names = code_attribute(code, "co_names");
	struct bytecode body = {0};
	int status = names ? bytecode_init(&body, t->world, code) : -1;

	for (int i = 0; !status && i < body.count; i++) {
		unsigned char op = body.items[i].op;
		if (op != t->world->opcodes.store_name &&
		    t->world->opcodes.same_as[op] == t->world->opcodes.store_name)
			status = PySet_Add(s->rebound,
					   PyTuple_GetItem(names, body.items[i].arg));
	}
	bytecode_fini(&body);
	return status;
}

int selection_find_rebound(struct selection *s)
{
	PyObject *module_code = s->module->code, *code, *unused;
	_cleanup_py_ PyObject *codes = PyDict_New();
	Py_ssize_t at = 0;

	s->rebound = PySet_New(NULL);
	if (!s->rebound || !codes || code_collect(s->tokens.world, module_code, codes))
		return -1;
	while (PyDict_Next(codes, &at, &code, &unused))
		if (code != module_code && add_rebound(s, code))
			return -1;
	return 0;
}

/* --- statements -------------------------------------------------------------------------- */

static int is_missing(const struct body *b, const struct group *group, PyObject *names)
{
	for (int i = group->first; i < group->end; i++) {
		const struct step *step = &b->new.steps[i];
		if (stream_is_store(b->tokens, step) && !PyDict_GetItem(names, step->value))
			return 1;
	}
	return 0;
}

/* `name = constant` and nothing else? */
static int is_constant_other(const struct selection *s, const struct body *b,
			     const struct group *group, PyObject *node, PyObject *names)
{
	const struct step *steps = &b->new.steps[group->first];

	if (!TREE_IS(node, "Assign", "AnnAssign") || group->node_count > 1 ||
	    group->end - group->first < 2 ||
	    steps[0].op != b->tokens->world->opcodes.load_const || !steps[0].value ||
	    py_is(steps[0].value, b->tokens->world->code) ||
	    !stream_is_store(b->tokens, &steps[1]) ||
	    (TREE_IS(node, "Assign") && group->end - group->first > 2))
		return 0;
	PyObject *name = steps[1].value, *live = PyDict_GetItem(names, name);
	if (!live || body_count_stores(b, &b->new, name) != 1 ||
	    PySet_Contains(s->rebound, name) == 1)
		return 0;
	return !compare_constants(b->tokens->world, live, steps[0].value);
}

static int is_function_other(const struct selection *s, const struct group *group,
			     PyObject *node)
{
	_cleanup_py_ PyObject *name = node_field(node, "name");
	PyObject *live = name ? PyDict_GetItem(s->module->live, name) : NULL;
	struct definition new;

	if (!live || !body_find_new(&new, &s->body, group, name))
		return 0;
	_cleanup_py_ PyObject *inner = selection_inner(s, live, NULL, name);
	PyObject *code = new.body;
	if (!inner)
		return 0;
	int same = code_is_same(s->tokens.world, PyFunction_GetCode(inner), code);
	if (same == 1)
		same = code_is_unmoved(s->tokens.world, PyFunction_GetCode(inner), code);
	return same < 0 ? same : !same;
}

/* --- classes ----------------------------------------------------------------------------- */

static int is_method_other(const struct selection *s, const struct body *b,
			   const struct group *group, PyObject *node, PyObject *names)
{
	const struct world *w = s->tokens.world;
	_cleanup_py_ PyObject *name = node_field(node, "name");
	PyObject *live = name ? PyDict_GetItem(names, name) : NULL;
	_cleanup_py_ PyObject *inner =
		live && !world_is_class(w, live) ? selection_inner(s, live, NULL, name) : NULL;
	struct definition new;

	if (!inner || !body_find_new(&new, b, group, name))
		return 0;
	int same = code_is_same(w, PyFunction_GetCode(inner), new.body);
	if (same == 1)
		same = code_is_unmoved(w, PyFunction_GetCode(inner), new.body);
	return same < 0 ? same : !same;
}

/* A function in the class that its new body has not. */
static int is_method_gone(const struct selection *s, const struct body *b, PyObject *names)
{
	PyObject *name, *value;
	Py_ssize_t at = 0;

	while (PyDict_Next(names, &at, &name, &value)) {
		if (!py_is(value, s->tokens.world->function) ||
		    body_count_stores(b, &b->new, name))
			continue;
		_cleanup_py_ PyObject *inner = selection_inner(s, value, NULL, name);
		if (inner)
			return 1;
	}
	return 0;
}

static int is_class_other(struct selection *s, const struct body *outer,
			  const struct group *group, PyObject *names);

static int is_attribute_other(struct selection *s, const struct body *b,
			      const struct group *group, PyObject *names)
{
	PyObject *node = PyList_GetItem(b->nodes, group->first_node);
	int other = is_missing(b, group, names);

	if (!other && node_is_function(node))
		other = is_method_other(s, b, group, node, names);
	else if (!other && node_is_definition(node))
		other = is_class_other(s, b, group, names);
	else if (!other)
		other = is_constant_other(s, b, group, node, names);
	return other;
}

int selection_infer_class(struct selection *s, struct body *b, PyObject *names)
{
	int any = is_method_gone(s, b, names);

	for (int i = 0; i < b->group_count; i++) {
		int other = is_attribute_other(s, b, &b->groups[i], names);
		if (other < 0)
			return -1;
		b->groups[i].is_changed = other != 0;
		any |= other;
	}
	return any;
}

static int is_class_other(struct selection *s, const struct body *outer,
			  const struct group *group, PyObject *names)
{
	const struct world *w = s->tokens.world;
	PyObject *node = PyList_GetItem(outer->nodes, group->first_node);
	_cleanup_py_ PyObject *name = node_field(node, "name");
	_cleanup_py_ PyObject *nodes = node_field(node, "body");
	PyObject *live = name ? PyDict_GetItem(names, name) : NULL;
	struct definition new;
	struct body b = {0};

	if (!live || !nodes || !walk_is_class_of(w, live, s->module->name) ||
	    !body_find_new(&new, outer, group, name))
		return 0;
	_cleanup_py_ PyObject *inside = world_type_dict(w, live);
	PyObject *code = new.body;
	int other = inside ? body_init(&b, &s->tokens, NULL, code, nodes) : -1;
	if (!other)
		other = selection_infer_class(s, &b, inside);
	body_fini(&b);
	return other;
}

/* ----------------------------------------------------------------------------------------- */

static int judge(struct selection *s, struct group *group)
{
	const struct body *b = &s->body;
	PyObject *names = s->module->live;
	int changed = is_missing(b, group, names);

	for (int i = 0; !changed && i < group->node_count; i++) {
		PyObject *node = PyList_GetItem(b->nodes, group->first_node + i);
		if (node_is_function(node))
			changed = is_function_other(s, group, node);
		else if (node_is_definition(node))
			changed = is_class_other(s, b, group, names);
		else
			changed = is_constant_other(s, b, group, node, names);
	}
	group->is_changed = changed > 0;
	return changed < 0 ? -1 : 0;
}

int selection_infer(struct selection *s)
{
	int status = selection_find_rebound(s);

	for (int i = 0; !status && i < s->body.group_count; i++)
		status = judge(s, &s->body.groups[i]);
	job_note(s->job,
		 &(struct reply_item){.kind = WIRE_RECORD_WARNING,
				      .action = WIRE_ACTION_NONE,
				      .text = "the old source is not known: what changed was "
					      "inferred from what is running"},
		 s->module);
	return status;
}
