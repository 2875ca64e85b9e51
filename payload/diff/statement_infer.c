/* SPDX-License-Identifier: MIT
 *
 * Inference: what runs is not known (no .pyc agrees with it, no earlier attach), so each
 * statement of the new source is judged by what is there now.
 *
 *   - a function changed when its code or defaults differ from the live one's, or its
 *     decorators cannot have made what is there;
 *   - a class changed when that is so of its methods, or its bases are others, or one of its
 *     statements changed in this sense (statement_infer_class.c);
 *   - a name that is bound once, to what constants make, changed when its value differs and no
 *     function rebinds it; so it did when it holds a lambda that the new source has not;
 *   - a statement that binds or reads a name which is missing is new;
 *   - what an @overload leaves is not there any more, and says nothing;
 *   - everything else is taken as unchanged.
 *
 * The same judgement tells whether a module changed at all. There only counts what is certain:
 * a branch may not have been taken, and to run a module again that nobody edited would lose
 * state.
 */
#include "payload/base/freestanding.h"
#include "payload/diff/block.h"
#include "payload/diff/infer.h"
#include "payload/diff/selection.h"
#include "payload/job/walk.h"
#include "payload/python/code.h"
#include "payload/python/compare.h"
#include "payload/python/node.h"
#include "payload/python/tree.h"
#include "payload/source/source.h"

/* --- statements -------------------------------------------------------------------------- */

/* What the compiler stores for a class and type takes away again; EnumMeta _order_. */
static int is_of_type(PyObject *name)
{
	return compare_is_name(name, "__qualname__ __classcell__ __classdictcell__ "
				     "__conditional_annotations__ _order_");
}

int selection_is_missing(struct selection *s, const struct body *b, const struct group *group,
			 PyObject *names)
{
	for (int i = group->first; i < group->end; i++) {
		const struct step *step = &b->new.steps[i];
		if (step->is_store && !PyDict_GetItem(names, step->value) &&
		    !is_of_type(step->value) && !selection_is_dropped(b, step->value) &&
		    (b == &s->body || !selection_is_rebound(s, step->value, REBOUND_DELETED)))
			return 1;
	}
	return 0;
}

static int is_there(const struct selection *s, PyObject *name, PyObject *names)
{
	return PyDict_GetItem(names, name) || PyDict_GetItem(s->module->live, name) ||
	       PyDict_GetItem(s->tokens.world->builtins, name);
}

/* Does a statement bind the name that has run if it was there? */
static int is_bound_surely(const struct selection *s, PyObject *name)
{
	for (int i = 0; i < s->body.group_count; i++) {
		const struct group *group = &s->body.groups[i];
		PyObject *node = PyList_GetItem(s->body.nodes, group->first_node);
		if (body_binds(&s->body, group, name) && !(s->is_deciding && block_is(node)))
			return 1;
	}
	return 0;
}

/* Does it build on something new, which is not there? */
static int reads_missing(const struct selection *s, const struct body *b,
			 const struct group *group, PyObject *names)
{
	for (int i = group->first; i < group->end; i++) {
		const struct step *step = &b->new.steps[i];
		if (step->op == s->tokens.world->opcodes.load_name &&
		    !is_there(s, step->value, names) && is_bound_surely(s, step->value) &&
		    !selection_is_dropped(&s->body, step->value))
			return 1;
	}
	return 0;
}

/* Does one statement bind the name, and nothing else? */
static int is_bound_once(struct selection *s, const struct body *b, PyObject *name)
{
	return body_count_stores(&b->new, name) == 1 &&
	       !selection_is_rebound(s, name, b != &s->body);
}

/* Is the list without an entry? One more may be what the program has put there. */
static int lacks_entry(const struct world *w, PyObject *live, PyObject *value)
{
	Py_ssize_t at = 0;

	for (Py_ssize_t i = 0; at < PyList_Size(live) && i < PyList_Size(value); i++)
		for (at = 0;
		     at < PyList_Size(live) &&
		     !compare_constants(w, PyList_GetItem(live, at), PyList_GetItem(value, i));)
			at++;
	return at == PyList_Size(live) && PyList_Size(value) > 0;
}

static int is_live_other(const struct world *w, PyObject *name, PyObject *live, PyObject *value)
{
	_cleanup_py_ PyObject *pattern = py_is(live, world_loaded(w, "re", "Pattern"))
						 ? PyObject_GetAttrString(live, "pattern")
						 : NULL;

	if (py_is(value, w->list))
		return py_is(live, w->list) &&
		       !PyUnicode_CompareWithASCIIString(name, "__all__") &&
		       lacks_entry(w, live, value);
	return selection_is_value_other(w, pattern ? pattern : live, value);
}

static int is_target_other(struct selection *s, const struct body *b, PyObject *target,
			   PyObject *value, PyObject *names)
{
	const struct world *w = b->tokens->world;
	_cleanup_py_ PyObject *id = node_id(target);
	_cleanup_py_ PyObject *parts = tree_is(target, "Tuple") && world_is_tuple(value)
					       ? node_field(target, "elts")
					       : NULL;
	PyObject *live = py_get(names, id);

	if (live)
		return is_live_other(w, id, live, value) && is_bound_once(s, b, id);
	for (Py_ssize_t i = 0;
	     parts && PyList_Size(parts) == PyTuple_Size(value) && i < PyList_Size(parts); i++)
		if (is_target_other(s, b, PyList_GetItem(parts, i), PyTuple_GetItem(value, i),
				    names))
			return 1;
	return 0;
}

/* `name = what constants make`, `a = b = constant`, `a, b = constants`? Of re.compile(pattern)
 * the pattern counts. */
static int is_value_other(struct selection *s, const struct body *b, const struct group *group,
			  PyObject *node, PyObject *names)
{
	_cleanup_py_ PyObject *targets =
		group->end - group->first > 2 && tree_is(node, "Assign")
			? node_field(node, "targets")
			: NULL;
	_cleanup_py_ PyObject *expression = targets ? node_value(node) : NULL;
	_cleanup_py_ PyObject *called = node_field(expression, "func");
	PyObject *maker = called ? selection_resolve(s, called) : NULL;
	int is_pattern = maker && maker == world_loaded(b->tokens->world, "re", "compile");
	_cleanup_py_ PyObject *args = is_pattern ? node_args(expression) : NULL;
	PyObject *pattern = py_item(args, 0), *made = pattern ? pattern : expression;
	_cleanup_py_ PyObject *value =
		made ? selection_value(s, b == &s->body ? NULL : names, made) : NULL;
	PyObject *item;

	for (Py_ssize_t i = 0; value && (item = py_item(targets, i)); i++)
		if (is_target_other(s, b, item, value, names))
			return 1;
	return 0;
}

/* Does the step store a constant, other than what is there? None is what others bind anew. */
static int stores_other(const struct body *b, int at, PyObject *live)
{
	const struct world *w = b->tokens->world;
	const struct step *steps = b->new.steps;
	PyObject *value =
		at && steps[at - 1].op == w->opcodes.load_const ? steps[at - 1].value : NULL;

	if (!value || world_is_code(value) || value == w->none ||
	    compare_constants(w, live, value))
		return 0;
	for (int i = 0; i < b->new.count; i++)
		if (steps[i].target == at || (steps[i].next == at && i != at - 1))
			return 0;
	return 1;
}

/* Is a name (__doc__, too) bound to constants alone, and to none of them now? What is no
 * constant and none of the class's methods a maker may have put there: a field, a slot. */
static int is_constant_other(struct selection *s, const struct body *b, int at, PyObject *live)
{
	const struct world *w = b->tokens->world;
	PyObject *name = b->new.steps[at].value;

	if (!stores_other(b, at, live))
		return 0;
	_cleanup_py_ PyObject *method =
		compare_is_constant(w, live) ? NULL : selection_inner(s, live, NULL, name);
	if (!compare_is_constant(w, live) && b != &s->body && !method)
		return 0;
	for (int i = 0; i < b->new.count; i++)
		if (stream_binds(&b->new.steps[i], name) && !stores_other(b, i, live))
			return 0;
	return !selection_is_rebound(s, name, b != &s->body) && !selection_is_dropped(b, name);
}

/* Is there a function that the statement made (a lambda, a definition in a branch, or with
 * `in_class` a method of a class in one), and not as any of its name is made now? */
static int is_code_other(const struct selection *s, const struct body *b,
			 const struct group *group, PyObject *live, int in_class)
{
	const struct world *w = b->tokens->world;
	int found = 0, same = 0;

	if (!world_is_function(live) || PyFunction_GetGlobals(live) != s->module->live)
		return 0;
	PyObject *old = PyFunction_GetCode(live);
	_cleanup_py_ PyObject *name = code_name(old);
	for (int i = 0; name && i < b->new.count; i++) {
		const struct step *step = &b->new.steps[i];
		if (step->line < group->line || step->line >= group->line_end ||
		    !world_is_code(step->value))
			continue;
		_cleanup_py_ PyObject *new =
			in_class ? code_find(step->value, name) : py_ref(step->value);
		if (!new || !code_are_namesakes(old, new))
			continue;
		found = 1;
		same |= code_is_same(w, old, new) == 1;
	}
	return found && !same;
}

static int is_class_code_other(const struct selection *s, const struct body *b,
			       const struct group *group, PyObject *live)
{
	const struct world *w = b->tokens->world;
	_cleanup_py_ PyObject *names =
		walk_is_class_of(w, s->module, live) ? world_type_dict(w, live) : NULL;
	PyObject *name, *value;
	Py_ssize_t at = 0;

	while (names && PyDict_Next(names, &at, &name, &value))
		if (is_code_other(s, b, group, value, 1))
			return 1;
	return 0;
}

/* Is the code none that the new source has? */
static int is_gone(struct selection *s, PyObject *code)
{
	if (!s->codes) {
		s->codes = PyDict_New();
		if (!s->codes || code_collect(s->module->code, s->codes))
			return 0;
	}
	return !PyDict_GetItem(s->codes, code);
}

/* Likewise in a list or dict of functions that the statement makes. */
static int holds_other(struct selection *s, const struct body *b, const struct group *group,
		       PyObject *live)
{
	const struct world *w = b->tokens->world;
	_cleanup_py_ PyObject *items = world_is_dict(live) ? PyDict_Values(live)
				       : py_is(live, w->list) || world_is_tuple(live)
					       ? PySequence_List(live)
					       : NULL;
	PyObject *item;

	for (Py_ssize_t i = 0; (item = py_item(items, i)); i++) {
		if (is_code_other(s, b, group, item, 0) && is_gone(s, PyFunction_GetCode(item)))
			return 1;
	}
	return 0;
}

static int is_other(struct selection *s, const struct body *b, const struct group *group,
		    PyObject *node, PyObject *names)
{
	for (int i = group->first; i < group->end; i++) {
		PyObject *name = b->new.steps[i].value;
		PyObject *live = b->new.steps[i].is_store ? PyDict_GetItem(names, name) : NULL;
		if (live &&
		    ((!s->is_deciding && (is_code_other(s, b, group, live, 0) ||
					  is_class_code_other(s, b, group, live))) ||
		     is_constant_other(s, b, i, live) || holds_other(s, b, group, live)))
			return 1;
	}
	return is_value_other(s, b, group, node, names) ||
	       (b == &s->body && selection_is_import_other(s, node, names));
}

/* --- definitions ------------------------------------------------------------------------- */

static int is_default_other(struct selection *s, PyObject *node, PyObject *held)
{
	const struct world *w = s->tokens.world;
	_cleanup_py_ PyObject *value = NULL;

	if (tree_is(node, "Lambda"))
		return world_is_function(held) &&
		       PyFunction_GetGlobals(held) == s->module->live &&
		       is_gone(s, PyFunction_GetCode(held));
	value = held ? selection_value(s, NULL, node) : NULL;
	return value && selection_is_value_other(w, held, value);
}

static int are_defaults_other(struct selection *s, PyObject *node, PyObject *function)
{
	_cleanup_py_ PyObject *args = node_args(node);
	_cleanup_py_ PyObject *nodes = node_field(args, "defaults");
	_cleanup_py_ PyObject *names = node_field(args, "kwonlyargs");
	_cleanup_py_ PyObject *keyword_nodes = node_field(args, "kw_defaults");
	PyObject *held = PyFunction_GetDefaults(function);
	PyObject *keywords = PyFunction_GetKwDefaults(function);
	int other = 0;

	if (!nodes || !names || !keyword_nodes ||
	    PyList_Size(nodes) != (held ? PyTuple_Size(held) : 0))
		return nodes != NULL;
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(nodes, i)); i++)
		other |= is_default_other(s, item, PyTuple_GetItem(held, i));
	for (Py_ssize_t i = 0; keywords && (item = py_item(names, i)); i++) {
		_cleanup_py_ PyObject *name = node_field(item, "arg");
		other |= is_default_other(s, PyList_GetItem(keyword_nodes, i),
					  PyDict_GetItem(keywords, name));
	}
	return other;
}

/* Without decorators: is a class there that was one of the module's? */
static int was_class(const struct selection *s, PyObject *node, PyObject *live)
{
	_cleanup_py_ PyObject *decorators = node_decorators(node);

	return decorators && !PyList_Size(decorators) &&
	       walk_is_class_of(s->tokens.world, s->module, live);
}

int selection_is_function_other(struct selection *s, const struct body *b,
				const struct group *group, PyObject *node, PyObject *names,
				int is_made)
{
	const struct world *w = s->tokens.world;
	_cleanup_py_ PyObject *name = node_name(node);
	_cleanup_py_ PyObject *decorators = node_decorators(node);
	PyObject *live = py_get(names, name);
	const struct function_place at = {
		.body = b, .group = group, .names = names, .name = name, .qualname = name};
	struct definition new;

	/* No definition makes a bound method: the program put it there. */
	if (!live || py_is(live, w->method) || !body_find_new(&new, b, group, name))
		return 0;
	int is_one_of_many = body_count_stores(&b->new, name) > 1;
	int may_be_wrapped = is_made && decorators && !PyList_Size(decorators);
	if ((!may_be_wrapped && selection_is_decorated_otherwise(s, &at, node)) ||
	    (!is_one_of_many && was_class(s, node, live)))
		return 1;
	_cleanup_py_ PyObject *own = selection_inner(s, live, NULL, name);
	if (own && !is_one_of_many && are_defaults_other(s, node, own))
		return 1;
	if (own && !is_one_of_many && !s->is_deciding && selection_note_live_head(s, node, own))
		return -1;
	/* Of a module with another function it is known that it changed, if not of one that an
	 * object of the program holds. */
	if (s->is_deciding && (is_one_of_many || world_is_function(live)))
		return 0;
	_cleanup_py_ PyObject *exact = selection_inner(s, live, new.body, name);
	/* Of one whose name another has now, and that is not inside of that (a getter), nothing
	 * is known. */
	if (!exact && world_is_function(live) &&
	    stream_find_store(&b->new, group->end, b->new.count, name) < b->new.count)
		return 0;
	_cleanup_py_ PyObject *inner = py_ref(exact ? exact : own);
	if (!inner) /* a constant may have stood there; None is what others switch it off by */
		return !is_one_of_many && live != w->none && compare_is_constant(w, live) &&
		       node_is_plainly_decorated(node) &&
		       !selection_is_rebound(s, name, b != &s->body);
	int same = code_is_same(w, PyFunction_GetCode(inner), new.body);
	if (same == 1 && !is_one_of_many) /* which may not be run for its lines */
		same = code_is_unmoved(PyFunction_GetCode(inner), new.body);
	return same < 0 ? same : !same;
}

/* A statement of the module, or of a class that its maker has taken nothing from. */
int selection_judge(struct selection *s, const struct body *b, const struct group *group,
		    PyObject *names, int is_made)
{
	int changed = 0;

	for (int i = 0; !changed && i < group->node_count; i++) {
		PyObject *node = PyList_GetItem(b->nodes, group->first_node + i);
		int is_definition = node_is_definition(node);
		int is_overload = node_is_overload(node);
		if (is_definition || !s->is_deciding ||
		    tree_is(node, "Assign AnnAssign Import ImportFrom"))
			changed = selection_is_missing(s, b, group, names) ||
				  (!is_overload && reads_missing(s, b, group, names));
		if (changed)
			break;
		if (is_overload)
			continue;
		if (!is_definition)
			changed = is_other(s, b, group, node, names);
		else if (node_is_function(node))
			changed =
				selection_is_function_other(s, b, group, node, names, is_made);
		else
			changed = selection_is_class_other(s, b, group, node, names);
	}
	return changed;
}

/* ----------------------------------------------------------------------------------------- */

int selection_infer(struct selection *s)
{
	int status = 0;

	for (int i = 0; !status && i < s->body.group_count; i++) {
		struct group *group = &s->body.groups[i];
		int changed = selection_judge(s, &s->body, group, s->module->live, 0);
		group->is_changed = changed > 0;
		status = changed < 0 ? -1 : 0;
	}
	if (!s->is_deciding)
		job_warn(s->job, s->module, NULL, WIRE_TEXT_OLD_UNKNOWN, NULL);
	return status;
}

int infer_change(struct job *job, struct module *module, int functions_agree)
{
	struct selection s = {.job = job, .module = module, .is_deciding = 1};
	_cleanup_py_ PyObject *tree = functions_agree ? source_tree(job, module) : NULL;
	_cleanup_py_ PyObject *nodes = node_body(tree);

	module->is_changed = !functions_agree;
	if (nodes && !tokens_init(&s.tokens, &job->world) &&
	    !body_init(&s.body, &s.tokens, NULL, module->code, nodes) && !selection_infer(&s))
		for (int i = 0; i < s.body.group_count; i++)
			module->is_changed |= s.body.groups[i].is_changed;
	selection_fini(&s);
	PyErr_Clear(); /* a loader's own language has no tree */
	return 0;
}
