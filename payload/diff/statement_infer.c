/* SPDX-License-Identifier: MIT
 *
 * Inference: what runs is not known (no .pyc agrees with it, no earlier attach), so each
 * statement of the new source is judged by what is there now.
 *
 *   - a function changed when its code differs from the live one's, a class when that is so of
 *     its methods, or its bases are others, or one of its statements changed in this sense;
 *   - a name that is bound once, to a constant, changed when its value differs and no function
 *     rebinds it;
 *   - a statement that binds a name which is missing is new;
 *   - everything else is taken as unchanged.
 *
 * The same judgement tells whether a module changed at all. There only counts what is certain:
 * a branch may not have been taken, and to run a module again that nobody edited would lose
 * state.
 */
#include "payload/base/freestanding.h"
#include "payload/diff/infer.h"
#include "payload/diff/selection.h"
#include "payload/job/walk.h"
#include "payload/python/code.h"
#include "payload/python/compare.h"
#include "payload/python/node.h"
#include "payload/python/tree.h"
#include "payload/source/source.h"

/* --- statements -------------------------------------------------------------------------- */

int selection_is_dropped(const struct body *b, PyObject *name)
{
	for (int i = 0; i < b->new.count; i++)
		if (b->new.steps[i].op == b->tokens->world->opcodes.delete_name &&
		    !PyUnicode_Compare(b->new.steps[i].value, name))
			return 1;
	return 0;
}

/* What the compiler stores for a class and type takes away again; EnumMeta _order_. */
static int is_of_type(PyObject *name)
{
	static const char *const names[] = {"__qualname__", "__classcell__",
					    "__classdictcell__", "__conditional_annotations__",
					    "_order_"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!PyUnicode_CompareWithASCIIString(name, names[i]))
			return 1;
	return 0;
}

static int is_missing(const struct body *b, const struct group *group, PyObject *names)
{
	for (int i = group->first; i < group->end; i++) {
		const struct step *step = &b->new.steps[i];
		if (stream_is_store(b->tokens, step) && !PyDict_GetItem(names, step->value) &&
		    !is_of_type(step->value) && !selection_is_dropped(b, step->value))
			return 1;
	}
	return 0;
}

/* `global name` in a function; of a class `C.name = ...`, but not `self.name = ...`. */
static int note_binding(PyObject *node, void *context)
{
	struct selection *s = context;
	_cleanup_py_ PyObject *names =
		TREE_IS(node, "Global") ? node_field(node, "names") : NULL;
	_cleanup_py_ PyObject *attribute =
		TREE_IS(node, "Attribute") ? node_field(node, "attr") : NULL;
	_cleanup_py_ PyObject *use = attribute ? node_field(node, "ctx") : NULL;
	_cleanup_py_ PyObject *owner = use ? node_field(node, "value") : NULL;
	_cleanup_py_ PyObject *id = owner ? node_field(owner, "id") : NULL;

	for (Py_ssize_t i = 0; names && i < PyList_Size(names); i++)
		if (PySet_Add(s->rebound[0], PyList_GetItem(names, i)))
			return 1;
	return use && TREE_IS(use, "Store", "Del") &&
	       !(id && !PyUnicode_CompareWithASCIIString(id, "self")) &&
	       PySet_Add(s->rebound[1], attribute);
}

static int find_rebound(struct selection *s)
{
	_cleanup_py_ PyObject *tree = source_tree(s->job, s->module);

	s->rebound[0] = PySet_New(NULL);
	s->rebound[1] = PySet_New(NULL);
	return !tree || !s->rebound[0] || !s->rebound[1] ||
	       tree_any(s->tokens.world, tree, note_binding, s);
}

int selection_is_rebound(struct selection *s, PyObject *name, int in_class)
{
	int failed = !s->rebound[1] && find_rebound(s);

	PyErr_Clear();
	return failed || PySet_Contains(s->rebound[in_class], name) != 0;
}

/* Does one statement bind the name, and nothing else? */
static int is_bound_once(struct selection *s, const struct body *b, PyObject *name)
{
	return body_count_stores(b, &b->new, name) == 1 &&
	       !selection_is_rebound(s, name, b != &s->body);
}

static int is_constant(const struct world *w, PyObject *o)
{
	return o == w->none || py_is(o, w->integer) || py_is(o, w->str) || py_is(o, w->real) ||
	       py_is(o, w->boolean) || py_is(o, w->tuple);
}

/* `name = constant` and nothing else, or a docstring? */
static int is_constant_other(struct selection *s, const struct body *b,
			     const struct group *group, PyObject *node, PyObject *names)
{
	const struct world *w = b->tokens->world;
	const struct step *steps = &b->new.steps[group->first];
	int count = group->end - group->first;

	if (!TREE_IS(node, "Assign", "AnnAssign", "Expr") || count < 2 ||
	    steps[0].op != w->opcodes.load_const || !steps[0].value ||
	    py_is(steps[0].value, w->code) || !stream_is_store(b->tokens, &steps[1]) ||
	    (TREE_IS(node, "Assign") && count > 2))
		return 0;
	PyObject *live = PyDict_GetItem(names, steps[1].value);
	/* A maker may have put something else there: a field, a slot. */
	return live && !compare_constants(w, live, steps[0].value) &&
	       (b == &s->body || is_constant(w, live)) && is_bound_once(s, b, steps[1].value);
}

/* Is there a function that the statement made (a lambda, a definition in a branch), and not as
 * any of its name is made now? */
static int is_code_other(const struct selection *s, const struct body *b,
			 const struct group *group, PyObject *live)
{
	const struct world *w = b->tokens->world;
	int found = 0, same = 0;

	if (!py_is(live, w->function) || PyFunction_GetGlobals(live) != s->module->live)
		return 0;
	PyObject *old = PyFunction_GetCode(live);
	for (int i = 0; i < b->new.count; i++) {
		const struct step *step = &b->new.steps[i];
		if (step->line < group->line || step->line >= group->line_end || !step->value ||
		    !py_is(step->value, w->code) || !code_are_namesakes(old, step->value))
			continue;
		found = 1;
		same |= code_is_same(w, old, step->value) == 1;
	}
	return found && !same;
}

static int is_other(struct selection *s, const struct body *b, const struct group *group,
		    PyObject *node, PyObject *names)
{
	for (int i = group->first; !s->is_deciding && i < group->end; i++) {
		PyObject *live = stream_is_store(b->tokens, &b->new.steps[i])
					 ? PyDict_GetItem(names, b->new.steps[i].value)
					 : NULL;
		if (live && is_code_other(s, b, group, live))
			return 1;
	}
	return is_constant_other(s, b, group, node, names);
}

/* --- definitions ------------------------------------------------------------------------- */

static int is_function_other(const struct selection *s, const struct body *b,
			     const struct group *group, PyObject *node, PyObject *names)
{
	const struct world *w = s->tokens.world;
	_cleanup_py_ PyObject *name = node_field(node, "name");
	PyObject *live = name ? PyDict_GetItem(names, name) : NULL;
	struct definition new;

	/* Of a module with another function it is known that it changed. */
	if (!live || s->is_deciding || !body_find_new(&new, b, group, name))
		return 0;
	int is_one_of_many = body_count_stores(b, &b->new, name) > 1;
	_cleanup_py_ PyObject *exact = selection_inner(s, live, new.body, name);
	_cleanup_py_ PyObject *inner =
		exact ? py_ref(exact) : selection_inner(s, live, NULL, name);
	if (!inner)
		return 0;
	int same = code_is_same(w, PyFunction_GetCode(inner), new.body);
	if (same == 1 && !is_one_of_many) /* which may not be run for its lines */
		same = code_is_unmoved(w, PyFunction_GetCode(inner), new.body);
	return same < 0 ? same : !same;
}

static int is_class_other(struct selection *s, const struct body *outer,
			  const struct group *group, PyObject *node, PyObject *names);

/* A statement of the module, or of a class that its maker has taken nothing from. */
static int judge(struct selection *s, const struct body *b, const struct group *group,
		 PyObject *names)
{
	int changed = 0;

	for (int i = 0; !changed && i < group->node_count; i++) {
		PyObject *node = PyList_GetItem(b->nodes, group->first_node + i);
		int is_definition = node_is_definition(node);
		if (is_definition || !s->is_deciding ||
		    TREE_IS(node, "Assign", "AnnAssign", "Import", "ImportFrom"))
			changed = is_missing(b, group, names);
		if (changed)
			break;
		if (!is_definition)
			changed = is_other(s, b, group, node, names);
		else if (node_is_function(node))
			changed = is_function_other(s, b, group, node, names);
		else
			changed = is_class_other(s, b, group, node, names);
	}
	return changed;
}

/* --- classes ----------------------------------------------------------------------------- */

static PyObject *own_map(const struct world *w, PyObject *names, const char *name)
{
	PyObject *map = PyDict_GetItemString(names, name);

	return map && py_is_a(map, w->dict) ? map : NULL;
}

static int has_store(const struct body *b, const char *name)
{
	_cleanup_py_ PyObject *key = PyUnicode_FromString(name);

	return !key || body_count_stores(b, &b->new, key);
}

/* Are the members' values what the body says? A flag's, or what a function makes, may not be.
 */
static int has_plain_values(const struct selection *s, const struct body *b, PyObject *class)
{
	const struct world *w = s->tokens.world;
	_cleanup_py_ PyObject *bases = world_type_attribute(class, "__bases__");

	for (Py_ssize_t i = 0; bases && i < PyTuple_Size(bases); i++) {
		PyObject *base = PyTuple_GetItem(bases, i);
		_cleanup_py_ PyObject *module = world_type_attribute(base, "__module__");
		if (base != w->str && base != w->integer &&
		    (!module || !py_is(module, w->str) ||
		     PyUnicode_CompareWithASCIIString(module, "enum")))
			return 0;
	}
	return bases && !has_store(b, "__new__") &&
	       !(s->is_deciding && has_store(b, "__init__"));
}

/* The class's namespace as its body left it: members of an enum by their values. */
static PyObject *names_in_body(const struct selection *s, const struct body *b, PyObject *names,
			       PyObject *class)
{
	const struct world *w = s->tokens.world;
	PyObject *fields = own_map(w, names, "__dataclass_fields__");
	_cleanup_py_ PyObject *out = fields ? PyDict_Copy(fields) : PyDict_New();
	PyObject *members = own_map(w, names, "_member_map_"), *name, *member;
	int is_plain = members && !PyDict_GetItemString(names, "_flag_mask_") &&
		       has_plain_values(s, b, class);
	Py_ssize_t at = 0;

	if (!out || PyDict_Update(out, names))
		return NULL;
	while (members && PyDict_Next(members, &at, &name, &member)) {
		_cleanup_py_ PyObject *dict = world_own_dict(w, member);
		PyObject *value =
			dict && is_plain ? PyDict_GetItemString(dict, "_value_") : NULL;
		if (PyDict_SetItem(out, name, value ? value : members)) /* no constant */
			return NULL;
	}
	return py_take(&out);
}

int selection_is_own_method(const struct selection *s, PyObject *name, PyObject *value)
{
	_cleanup_py_ PyObject *inner = py_is(value, s->tokens.world->function)
					       ? selection_inner(s, value, NULL, name)
					       : NULL;

	return inner != NULL;
}

/* A function in the class that its new body has not. */
static int is_method_gone(const struct selection *s, const struct body *b, PyObject *names)
{
	PyObject *name, *value;
	Py_ssize_t at = 0;

	while (PyDict_Next(names, &at, &name, &value))
		if (!body_count_stores(b, &b->new, name) &&
		    selection_is_own_method(s, name, value))
			return 1;
	return 0;
}

/* `x: int` in the body, and no such annotation in the class. */
static int is_annotation_new(const struct world *w, PyObject *names, PyObject *node)
{
	PyObject *known = own_map(w, names, "__annotations__");
	_cleanup_py_ PyObject *target =
		TREE_IS(node, "AnnAssign") ? node_field(node, "target") : NULL;
	_cleanup_py_ PyObject *id = target ? node_field(target, "id") : NULL;

	if (!known) /* 3.14 has none before somebody asked */
		known = own_map(w, names, "__dataclass_fields__");
	const char *text = id ? PyUnicode_AsUTF8(id) : NULL; /* `__x` is mangled there */

	return known && text && memcmp(text, "__", 2) != 0 && !PyDict_GetItem(known, id);
}

int selection_infer_class(struct selection *s, struct body *b, PyObject *names, PyObject *class,
			  PyObject *node)
{
	const struct world *w = s->tokens.world;
	_cleanup_py_ PyObject *bound = names_in_body(s, b, names, class);
	int is_plain = selection_is_plain_class(s, node, class) && !has_store(b, "_ignore_");
	int any = !bound || (!s->is_deciding && is_method_gone(s, b, names)) ||
		  (is_plain && selection_has_annotation_gone(w, names, b->nodes));

	for (int i = 0; bound && i < b->group_count; i++) {
		struct group *group = &b->groups[i];
		PyObject *inner = PyList_GetItem(b->nodes, group->first_node);
		int missing = is_missing(b, group, bound), other;
		if (is_plain || (!s->is_deciding && !missing))
			other = judge(s, b, group, bound);
		else
			other = missing && node_is_function(inner);
		if (other < 0)
			return -1;
		group->is_changed = other || (is_plain && is_annotation_new(w, names, inner));
		any |= group->is_changed;
	}
	return bound ? any : -1;
}

static int is_class_other(struct selection *s, const struct body *outer,
			  const struct group *group, PyObject *node, PyObject *names)
{
	const struct world *w = s->tokens.world;
	_cleanup_py_ PyObject *name = node_field(node, "name");
	_cleanup_py_ PyObject *nodes = node_field(node, "body");
	PyObject *live = name ? PyDict_GetItem(names, name) : NULL;
	struct definition new;
	struct body b = {0};

	if (!live || !nodes || !body_find_new(&new, outer, group, name) ||
	    !world_is_class(w, live) || !walk_is_class_of(w, live, s->module->name))
		return 0;
	_cleanup_py_ PyObject *own = world_type_attribute(live, "__name__");
	if (!own || PyUnicode_Compare(own, name)) /* a decorator's */
		return 0;
	_cleanup_py_ PyObject *inside = world_type_dict(w, live);
	if (inside && !selection_is_header_plausible(s, outer, node, live))
		return 1;
	PyObject *code = new.body;
	int other = inside ? body_init(&b, &s->tokens, NULL, code, nodes) : -1;
	if (!other)
		other = selection_infer_class(s, &b, inside, live, node);
	body_fini(&b);
	return other;
}

/* ----------------------------------------------------------------------------------------- */

int selection_infer(struct selection *s)
{
	int status = 0;

	for (int i = 0; !status && i < s->body.group_count; i++) {
		struct group *group = &s->body.groups[i];
		int changed = judge(s, &s->body, group, s->module->live);
		group->is_changed = changed > 0;
		status = changed < 0 ? -1 : 0;
	}
	if (!s->is_deciding)
		job_note(s->job,
			 &(struct reply_item){
				 .kind = WIRE_RECORD_WARNING,
				 .action = WIRE_ACTION_NONE,
				 .text = "the old source is not known: what changed was "
					 "inferred from what is running"},
			 s->module);
	return status;
}

int infer_change(struct job *job, struct module *module, int functions_agree)
{
	struct selection s = {.job = job, .module = module, .is_deciding = 1};
	_cleanup_py_ PyObject *tree = functions_agree ? source_tree(job, module) : NULL;
	_cleanup_py_ PyObject *nodes = tree ? node_field(tree, "body") : NULL;

	module->is_changed = !functions_agree;
	if (nodes && !tokens_init(&s.tokens, &job->world) &&
	    !body_init(&s.body, &s.tokens, NULL, module->code, nodes) && !selection_infer(&s))
		for (int i = 0; i < s.body.group_count; i++)
			module->is_changed |= s.body.groups[i].is_changed;
	selection_fini(&s);
	PyErr_Clear(); /* a loader's own language has no tree */
	return 0;
}
