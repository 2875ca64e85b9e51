/* SPDX-License-Identifier: MIT
 *
 * Classes that changed: which statements of the body run, and whether the class is made again.
 *
 * A class is handled like a module: what did not change does not run. In most cases the class
 * statement is reduced to the changed statements of its body, without bases, keywords and
 * decorators, and shadow/hooks/classes.py executes them in a copy of the live namespace. The
 * class must be made as a whole only where its *maker* (metaclass, __init_subclass__,
 * decorator, typing) may have to see the new body:
 *
 *   - never, when nothing but the code of methods changed that were there before;
 *   - when plain methods or properties came or went, if the maker noted methods: a table of
 *     handlers, say, in an attribute that the body does not bind;
 *   - when others did (decorated ones, __post_init__), if the maker left traces at all:
 *     attributes that the body does not bind (__dataclass_fields__, _member_map_, _meta ...);
 *   - when anything else changed, also without traces where the maker is a metaclass or an
 *     __init_subclass__, because their registries may be keyed by what the class says of
 * itself.
 *
 * The invariant: a decorator that left no trace is never called again while its list is the
 * same.
 */
#include "payload/base/freestanding.h"
#include "payload/diff/class_hooks.h"
#include "payload/diff/selection.h"
#include "payload/job/walk.h"
#include "payload/python/class_maker.h"
#include "payload/python/compare.h"
#include "payload/python/node.h"
#include "payload/python/tree.h"

struct class_change {
	struct selection *s;
	const struct function_place *place; /* of the class statement */
	struct body body;                   /* the class's */
	PyObject *node, *nodes;             /* the statement, its body */
	PyObject *live, *names;             /* the class and its namespace */
	PyObject *before, *after;           /* sets: names that the old and new body bind */
	int is_annotated_anew;
};

static int add_stores(const struct stream *stream, PyObject *names)
{
	for (int i = 0; i < stream->count; i++)
		if (stream->steps[i].is_store && PySet_Add(names, stream->steps[i].value))
			return -1;
	return 0;
}

static int has(PyObject *set, const char *name)
{
	_cleanup_py_ PyObject *key = PyUnicode_FromString(name);

	return key && PySet_Contains(set, key) == 1;
}

/* Without the old source: what the new body binds and is there, the functions that it has not,
 * the members of an enum. */
static int add_live(const struct class_change *c)
{
	PyObject *members = PyDict_GetItemString(c->names, "_member_map_");
	_cleanup_py_ PyObject *names = PyDict_Copy(c->names);
	_cleanup_py_ PyObject *bound =
		!members && selection_is_plain_class(c->s, c->node, c->live)
			? class_maker_body_names(&c->s->job->world, c->names)
			: PySet_New(NULL);
	PyObject *name, *value;
	Py_ssize_t at = 0;

	if (!names || !bound ||
	    (py_is_a(members, c->s->job->world.dict) && PyDict_Update(names, members)))
		return -1;
	while (PyDict_Next(names, &at, &name, &value))
		if ((body_count_stores(&c->body.new, name) ||
		     selection_is_own_method(c->s, name, value) ||
		     PySet_Contains(bound, name) == 1 || py_get(members, name)) &&
		    PySet_Add(c->before, name))
			return -1;
	for (int i = 0; i < c->body.new.count; i++) { /* `del C.__slots__` below the class */
		const struct step *step = &c->body.new.steps[i];
		if (step->is_store &&
		    selection_is_rebound(c->s, step->value, REBOUND_DELETED) &&
		    PySet_Add(c->before, step->value))
			return -1;
	}
	_cleanup_py_ PyObject *cell = PyUnicode_FromString("__classcell__");
	return cell && (PySet_Contains(c->after, cell) != 1 || !PySet_Add(c->before, cell))
		       ? 0
		       : -1;
}

/* --- what changed ------------------------------------------------------------------------ */

static int keep_attributes(struct class_change *c)
{
	_cleanup_py_ PyObject *names = PySet_New(NULL), *superseded = PySet_New(NULL);

	if (!names || !superseded || body_note_kept(&c->body, names, superseded))
		return -1;
	return PyDict_SetItem(c->s->module->kept, c->place->qualname, names);
}

/* __post_init__, _generate_next_value_: such names mean something to makers. */
static int is_plain_name(PyObject *name)
{
	const char *text = py_text(name);

	return text && text[0] != '_';
}

static int is_annotated_anew(const struct class_change *c)
{
	for (int i = 0; i < c->body.group_count; i++) {
		const struct group *group = &c->body.groups[i];
		for (int k = 0; group->is_changed && k < group->node_count; k++)
			if (tree_is(PyList_GetItem(c->nodes, group->first_node + k),
				    "AnnAssign"))
				return 1;
	}
	return selection_is_annotation_gone(&c->body, c->names);
}

static int is_function_node(PyObject *node, void *context)
{
	(void)context;
	return node_is_function(node);
}

enum change_extent { CHANGE_CODE, CHANGE_PLAIN_METHODS, CHANGE_METHODS, CHANGE_ATTRIBUTES };

static int is_function_gone(const struct class_change *c, PyObject *name)
{
	return world_is_function(PyDict_GetItem(c->names, name));
}

static enum change_extent extent_of_removal(const struct class_change *c)
{
	enum change_extent extent = CHANGE_CODE;
	_cleanup_py_ PyObject *names = PySequence_List(c->before);
	PyObject *name;

	for (Py_ssize_t i = 0; (name = py_item(names, i)); i++) {
		/* That a method says super() is for the method to tell. */
		if (PySet_Contains(c->after, name) == 1 ||
		    !PyUnicode_CompareWithASCIIString(name, "__classcell__"))
			continue;
		if (!is_function_gone(c, name))
			return CHANGE_ATTRIBUTES;
		if (!is_plain_name(name))
			extent = CHANGE_METHODS;
		else if (extent == CHANGE_CODE)
			extent = CHANGE_PLAIN_METHODS;
	}
	return extent;
}

/* A nested class that was there before counts like a method: it stays the object it is. But one
 * that the maker took away, or that has no methods, says something to the maker (Meta). */
static int stays(const struct class_change *c, PyObject *node, PyObject *name)
{
	if (!name || PySet_Contains(c->before, name) != 1)
		return 0;
	return node_is_function(node) ||
	       (PyDict_GetItem(c->names, name) &&
		tree_any(&c->s->job->world, node, is_function_node, NULL));
}

/* Do statements that are no definitions come in another order? A function may be anywhere. */
static int is_reordered(const struct class_change *c)
{
	int last = -1;

	for (int i = 0; i < c->body.group_count; i++) {
		const struct group *group = &c->body.groups[i];
		if (group->is_changed ||
		    node_is_definition(PyList_GetItem(c->nodes, group->first_node)))
			continue;
		if (group->old_first < last)
			return 1;
		last = group->old_first;
	}
	return 0;
}

static enum change_extent extent_of(const struct class_change *c)
{
	enum change_extent extent = extent_of_removal(c);

	if (c->is_annotated_anew || is_reordered(c))
		return CHANGE_ATTRIBUTES;
	for (int i = 0; i < c->body.group_count; i++) {
		const struct group *group = &c->body.groups[i];
		PyObject *node = PyList_GetItem(c->nodes, group->first_node);
		if (!group->is_changed)
			continue;
		if (group->node_count > 1 || !node_is_definition(node))
			return CHANGE_ATTRIBUTES;
		_cleanup_py_ PyObject *name = node_name(node);
		if (stays(c, node, name))
			continue;
		if (!node_is_function(node))
			return CHANGE_ATTRIBUTES;
		if (!node_is_plainly_decorated(node) || !is_plain_name(name))
			extent = CHANGE_METHODS;
		else if (extent == CHANGE_CODE)
			extent = CHANGE_PLAIN_METHODS;
	}
	return extent;
}

/* --- who makes the class ----------------------------------------------------------------- */

static int has_decorators(const struct class_change *c)
{
	_cleanup_py_ PyObject *decorators = node_decorators(c->node);

	return py_count(decorators) > 0;
}

/* type itself acts on these when it makes a class; 3.14 compiles all annotations into one
 * function. */
static int is_special(const struct class_change *c)
{
	static const char *const names[] = {"__slots__", "__eq__", "__hash__"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		_cleanup_py_ PyObject *kept =
			py_ref(PyDict_GetItem(c->s->module->kept, c->place->qualname));
		int is_bound = has(c->after, names[i]);
		if (has(c->before, names[i]) != is_bound)
			return 1;
		if (i == 0 && is_bound && !has(kept, names[i]))
			return 1;
	}
	return c->is_annotated_anew && c->s->job->world.opcodes.minor >= 14;
}

/* An enum calls these once for each member, and puts another __new__ into the class. */
static int makes_members_anew(const struct class_change *c)
{
	for (int i = 0; i < c->body.group_count; i++) {
		const struct group *group = &c->body.groups[i];
		PyObject *node = PyList_GetItem(c->nodes, group->first_node);
		_cleanup_py_ PyObject *name = NULL;
		if (group->is_changed && node_is_definition(node))
			name = node_name(node);
		if (name && compare_is_name(name, "__new__ __init__ _generate_next_value_"))
			return 1;
	}
	return 0;
}

static int must_be_made(const struct class_change *c)
{
	enum change_extent extent = extent_of(c);
	const struct world *w = &c->s->job->world;
	int is_tuple = PyType_IsSubtype(c->live, w->tuple);

	if (is_special(c) || (py_is_a(c->live, w->enum_type) && makes_members_anew(c)))
		return 1;
	if (extent == CHANGE_CODE)
		return 0;
	if (extent == CHANGE_ATTRIBUTES && class_maker_is_of_program(w, c->live))
		return 1;
	if (!has_decorators(c) && !is_tuple && !class_maker_is_of_program(w, c->live))
		return 0;
	return extent == CHANGE_PLAIN_METHODS
		       ? class_maker_notes_methods(w, c->names, c->before)
		       : class_maker_left_traces(w, c->names, c->before);
}

/* --- what of it runs --------------------------------------------------------------------- */

static PyObject *qualname_in(const struct class_change *c, PyObject *name)
{
	return name ? world_dotted(c->place->qualname, name) : NULL;
}

/* A statement of the class. 1 when it is a class that turns out to be the same. */
static int refine(const struct class_change *c, const struct group *group, PyObject *node,
		  int is_whole)
{
	if (!node_is_definition(node))
		return selection_note_block(
			c->s,
			&(struct function_place){.body = &c->body,
						 .group = group,
						 .qualname = c->place->qualname},
			node);
	_cleanup_py_ PyObject *name = node_name(node);
	_cleanup_py_ PyObject *qualname = qualname_in(c, name);
	const struct function_place place = {
		.body = &c->body,
		.group = group,
		.names = c->names,
		.name = name,
		.qualname = qualname,
		.is_made = has_decorators(c) ||
			   class_maker_is_of_program(&c->s->job->world, c->live),
		.is_whole = is_whole != 0};

	if (!qualname || (node_is_function(node) && selection_note_head(c->s->module, &place)))
		return -1;
	if (group->is_changed)
		class_hooks_note(c->s->job, c->s->module, qualname);
	return node_is_function(node) ? selection_function(c->s, &place, node)
				      : selection_class(c->s, &place, node);
}

static int choose(const struct sorter *sorter, const struct group *group, PyObject *node)
{
	const struct class_change *c = sorter->context;

	/* Annotations are made anew together. */
	if (group->is_changed ? group->is_retyped : c->is_annotated_anew)
		return selection_annotate_alone(&c->s->job->world, node);
	if (!group->is_changed)
		return 0;
	if (group->node_count > 1)
		return 1;
	int same = refine(c, group, node, 0);
	return same < 0 ? -1 : !same;
}

/* What 3.13's compiler adds to the body; of a part it would be wrong. And a docstring that is
 * gone. */
static PyObject *constants_of(const struct class_change *c)
{
	_cleanup_py_ PyObject *out = PyDict_New();
	const struct stream *new = &c->body.new;

	/* Without a docstring a class has None. */
	if (out && has(c->before, "__doc__") && !has(c->after, "__doc__") &&
	    PyDict_SetItemString(out, "__doc__", c->s->job->world.none))
		return NULL;
	for (int i = 1; out && i < new->count; i++) {
		const struct step *step = &new->steps[i];
		if (!step->is_store || !new->steps[i - 1].value ||
		    !compare_is_name(step->value, "__firstlineno__ __static_attributes__"))
			continue;
		if (PyDict_SetItem(out, step->value, new->steps[i - 1].value))
			return NULL;
	}
	return py_take(&out);
}

static int add_part(const struct class_change *c, PyObject *kept)
{
	_cleanup_py_ PyObject *constants = constants_of(c), *late = body_late_names(&c->body);
	_cleanup_py_ PyObject *part =
		constants && late ? Py_BuildValue("(OOOiO)", c->live, kept, constants,
						  c->is_annotated_anew, late)
				  : NULL;

	return py_put(c->s->module->parts, c->place->qualname, part);
}

static int set_empty(PyObject *node, const char *field)
{
	_cleanup_py_ PyObject *list = PyList_New(0);

	return list ? PyObject_SetAttrString(node, field, list) : -1;
}

static int run_part(const struct class_change *c)
{
	const struct sorter sorter = {
		.selection = c->s, .body = &c->body, .choose = choose, .context = c};
	_cleanup_py_ PyObject *chosen = selection_sort(&sorter);

	if (!chosen || PyObject_SetAttrString(c->node, "body", chosen) ||
	    set_empty(c->node, "bases") || set_empty(c->node, "keywords") ||
	    set_empty(c->node, "decorator_list"))
		return -1;
	return add_part(c, c->s->job->world.none);
}

/* All statements run. What its definitions are made of stays all the same, and the decorators
 * of methods do not run. */
static int refine_all(const struct class_change *c)
{
	for (int i = 0; i < c->body.group_count; i++) {
		const struct group *group = &c->body.groups[i];
		PyObject *node = PyList_GetItem(c->nodes, group->first_node);
		if (node_is_definition(node) && !node_is_function(node))
			body_forget(&c->body, group);
		if (group->node_count == 1 && refine(c, group, node, 1) < 0)
			return -1;
	}
	return 0;
}

/* Since the maker shall see what it saw; but decorators that leave no trace do not run. */
static int run_whole(const struct class_change *c, int is_header_same)
{
	if (refine_all(c))
		return -1;
	if (!is_header_same)
		return 0;
	if (!class_maker_left_traces(&c->s->job->world, c->names, c->before) &&
	    set_empty(c->node, "decorator_list"))
		return -1;
	return add_part(c, PyDict_GetItem(c->s->module->kept, c->place->qualname));
}

/* 1 when it is the same, else what is to run is in the syntax tree. */
static int select_in(struct class_change *c, const struct definition *old,
		     const struct definition *new)
{
	const struct body *outer = c->place->body;
	struct tokens *t = outer->tokens;
	int is_known = outer->old.steps != NULL;
	PyObject *old_code = is_known ? old->body : NULL;

	if (body_init(&c->body, t, old_code, new->body, c->nodes) ||
	    (!is_known &&
	     selection_infer_class(c->s, &c->body, c->names, c->live, c->node) < 0))
		return -1;
	selection_need(c->s, &c->body, NULL, c->names);
	int is_header_same =
		!c->place->group->is_rebased &&
		(is_known ? selection_is_rest_same(outer, old, new)
			  : selection_is_header_plausible(c->s, outer, c->node, c->live));
	if (add_stores(&c->body.new, c->after))
		return -1;
	int is_below = selection_is_below_remade(c->s->job, c->live, c->after);
	if (keep_attributes(c))
		return -1;
	if (is_known && is_header_same && !is_below && body_is_same(&c->body) &&
	    !selection_is_annotate_other(&c->body, NULL) && !is_reordered(c))
		return c->place->is_whole && refine_all(c) ? -1 : 1;
	if (is_known ? add_stores(&c->body.old, c->before) : add_live(c))
		return -1;
	c->is_annotated_anew = is_annotated_anew(c);
	int status = !is_header_same || is_below || must_be_made(c)
			     ? (run_whole(c, is_header_same) ||
						selection_note_remade(c->s->job, c->live)
					? -1
					: 0)
			     : run_part(c);
	if (!status && (!is_header_same || is_below || is_special(c) ||
			extent_of(c) != CHANGE_CODE || selection_is_decorated_anew(&c->body)))
		status = PySet_Add(c->s->module->redefined, c->place->qualname);
	return status;
}

/* A decorator may have put a class of its own there. */
static int is_called(PyObject *class, PyObject *qualname)
{
	_cleanup_py_ PyObject *own = world_qualname(class);

	PyErr_Clear();
	return compare_texts(own, qualname);
}

int selection_class(struct selection *s, const struct function_place *place, PyObject *node)
{
	PyObject *live = PyDict_GetItem(place->names, place->name);
	struct definition new, old = {0};

	if (!live || !walk_is_class_of(&s->job->world, s->module, live) ||
	    !is_called(live, place->qualname) ||
	    body_count_stores(&place->body->new, place->name) != 1 ||
	    !body_find_new(&new, place->body, place->group, place->name) ||
	    (place->body->old.steps &&
	     !body_find_old(&old, place->body, place->name, place->body->old.count)))
		return 0;
	_cleanup_py_ PyObject *nodes = PyObject_GetAttrString(node, "body");
	_cleanup_py_ PyObject *names = world_type_dict(&s->job->world, live);
	_cleanup_py_ PyObject *before = PySet_New(NULL), *after = PySet_New(NULL);
	struct class_change c = {.s = s,
				 .place = place,
				 .node = node,
				 .nodes = nodes,
				 .live = live,
				 .names = names,
				 .before = before,
				 .after = after};
	int status = nodes && names && before && after ? select_in(&c, &old, &new) : -1;
	body_fini(&c.body);
	return status;
}
