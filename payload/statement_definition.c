/* SPDX-License-Identifier: MIT
 *
 * Definitions that changed. A function whose decorators did not change runs without them: they
 * have been called once, and may have registered it; what they made stays, and the function
 * inside takes the new definition. A class runs with its decorators, since some of them make
 * part of it (dataclass); of its attributes those keep their value whose statements did not
 * change.
 */
#include "payload/code.h"
#include "payload/freestanding.h"
#include "payload/node.h"
#include "payload/pointer_map.h"
#include "payload/selection.h"
#include "payload/tree.h"
#include "payload/walk.h"

#define DEPTH_MAX   6
#define VISITED_MAX 2000

/* --- the function inside a decorated one ------------------------------------------------- */

struct search {
	const struct selection *s;
	PyObject *code, *name; /* what is looked for; code may be NULL */
	PyObject *found;
	struct pointer_map seen;
	int visited;
};

static int is_wanted(const struct search *search, PyObject *o)
{
	const struct module *m = search->s->module;
	PyObject *code;

	if (!py_is(o, search->s->job->world.function) || PyFunction_GetGlobals(o) != m->live)
		return 0;
	code = PyFunction_GetCode(o);
	if (search->code)
		return PyObject_RichCompareBool(code, search->code, PY_EQ) == 1;
	_cleanup_py_ PyObject *file = code_attribute(code, "co_filename");
	_cleanup_py_ PyObject *name = code_attribute(code, "co_name");
	return file && name && !PyUnicode_Compare(file, m->file) &&
	       !PyUnicode_Compare(name, search->name);
}

static int visit(struct search *search, PyObject *o, int depth);

/* What an instance of a class of any library keeps: a command its callback, a task its run. */
static int visit_own_dict(struct search *search, PyObject *o, int depth)
{
	const struct world *w = &search->s->job->world;

	if (world_is_class(w, o) || world_is_module(w, o) || py_is(o, w->dict))
		return 0;
	_cleanup_py_ PyObject *dict = world_own_dict(w, o);
	_cleanup_py_ PyObject *values = dict ? PyDict_Values(dict) : NULL;
	for (Py_ssize_t i = 0; values && !search->found && i < PyList_Size(values); i++)
		if (visit(search, PyList_GetItem(values, i), depth + 1))
			return -1;
	return 0;
}

static int visit(struct search *search, PyObject *o, int depth)
{
	if (search->found || depth > DEPTH_MAX || search->visited > VISITED_MAX ||
	    pointer_map_get(&search->seen, o))
		return 0;
	search->visited++;
	if (pointer_map_set(&search->seen, o, o))
		return -1;
	if (is_wanted(search, o)) {
		search->found = py_ref(o);
		return 0;
	}
	_cleanup_py_ PyObject *inside = walk_inside(&search->s->job->world, o);
	for (Py_ssize_t i = 0; inside && i < PyList_Size(inside); i++)
		if (visit(search, PyList_GetItem(inside, i), depth + 1))
			return -1;
	return inside ? visit_own_dict(search, o, depth) : -1;
}

PyObject *selection_inner(const struct selection *s, PyObject *value, PyObject *code,
			  PyObject *name)
{
	struct search search = {.s = s, .code = code, .name = name};

	if (visit(&search, value, 0))
		Py_DecRef(py_take(&search.found));
	pointer_map_fini(&search.seen);
	PyErr_Clear();
	return search.found;
}

/* --- functions --------------------------------------------------------------------------- */

/* The steps of the decorators' expressions come first, on lines above `def`. */
static int count_decorator_steps(const struct selection *s, const struct definition *d,
				 PyObject *node)
{
	int line = node_header_line(node, s->job->world.opcodes.minor), count = 0;

	while (d->first + count < d->code && s->body.new.steps[d->first + count].line < line)
		count++;
	return count;
}

static int are_decorators_same(const struct selection *s, const struct definition *old,
			       const struct definition *new, PyObject *node, int count)
{
	const struct body *b = &s->body;
	int steps = count_decorator_steps(s, new, node);
	int call = new->end - 2 > new->code ? b->new.steps[new->end - 2].token : -1;

	if (body_count_calls(&b->new, new, call, count + 1) != count ||
	    body_count_calls(&b->old, old, call, count + 1) != count ||
	    old->code - old->first < steps)
		return 0;
	for (int i = 0; i < steps; i++)
		if (b->old.steps[old->first + i].token != b->new.steps[new->first + i].token)
			return 0;
	return 1;
}

static int strip(struct selection *s, PyObject *node, PyObject *name, PyObject *inner,
		 PyObject *code)
{
	_cleanup_py_ PyObject *pair = PyTuple_Pack(2, inner, code);
	_cleanup_py_ PyObject *none = PyList_New(0);

	if (!pair || !none || PyDict_SetItem(s->module->inner, name, pair))
		return -1;
	return PyObject_SetAttrString(node, "decorator_list", none);
}

static int refine_function(struct selection *s, const struct group *group, PyObject *node,
			   PyObject *name)
{
	_cleanup_py_ PyObject *decorators = node_field(node, "decorator_list");
	PyObject *live = PyDict_GetItem(s->module->live, name);
	struct definition new, old;
	int count = decorators ? (int)PyList_Size(decorators) : 0;

	if (!count || !live || !body_find_new(&new, &s->body, group, name))
		return 0;
	PyObject *old_code = NULL;
	if (s->module->old_code) {
		if (!body_find_old(&old, &s->body, name) ||
		    !are_decorators_same(s, &old, &new, node, count))
			return 0;
		old_code = s->body.old.steps[old.code].value;
	}
	_cleanup_py_ PyObject *inner = selection_inner(s, live, old_code, name);
	return inner ? strip(s, node, name, inner, s->body.new.steps[new.code].value) : 0;
}

/* --- classes ----------------------------------------------------------------------------- */

int selection_keep(struct selection *s, PyObject *qualname, PyObject *names)
{
	return PyDict_SetItem(s->module->kept, qualname, names);
}

static int add_stores(const struct body *b, const struct group *group, PyObject *names,
		      int (*change)(PyObject *set, PyObject *name))
{
	for (int i = group->first; i < group->end; i++)
		if (stream_is_store(b->tokens, &b->new.steps[i]) &&
		    change(names, b->new.steps[i].value) < 0)
			return -1;
	return 0;
}

/* Names that unchanged statements bind, and no changed one. */
static int keep_attributes(struct selection *s, const struct body *b, PyObject *qualname)
{
	_cleanup_py_ PyObject *names = PySet_New(NULL);

	if (!names)
		return -1;
	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < b->group_count; i++) {
			const struct group *group = &b->groups[i];
			if (group->is_changed != (unsigned)pass)
				continue;
			if (add_stores(b, group, names, pass ? PySet_Discard : PySet_Add))
				return -1;
		}
	return selection_keep(s, qualname, names);
}

static int compare_class(struct selection *s, PyObject *const codes[2], PyObject *node,
			 PyObject *qualname);

static int refine_nested(struct selection *s, struct body *b, struct group *group,
			 PyObject *qualname)
{
	PyObject *node = PyList_GetItem(b->nodes, group->first_node);
	struct definition old, new;

	if (!group->is_changed || group->node_count != 1 || !TREE_IS(node, "ClassDef"))
		return 0;
	_cleanup_py_ PyObject *name = node_field(node, "name");
	_cleanup_py_ PyObject *inner =
		name ? PyUnicode_FromFormat("%U.%U", qualname, name) : NULL;
	if (!inner)
		return -1;
	if (!body_find_old(&old, b, name) || !body_find_new(&new, b, group, name))
		return 0;
	PyObject *const codes[2] = {b->old.steps[old.code].value, b->new.steps[new.code].value};
	int same = compare_class(s, codes, node, inner);
	return same < 0 ? -1 : 0;
}

/* 1 when both bodies have the same statements. */
static int compare_class(struct selection *s, PyObject *const codes[2], PyObject *node,
			 PyObject *qualname)
{
	_cleanup_py_ PyObject *nodes = PyObject_GetAttrString(node, "body");
	struct body b = {0};
	int status = nodes ? body_init(&b, &s->tokens, codes[0], codes[1], nodes) : -1;

	if (!status)
		status = keep_attributes(s, &b, qualname);
	for (int i = 0; !status && i < b.group_count; i++)
		status = refine_nested(s, &b, &b.groups[i], qualname);
	if (!status)
		status = body_is_same(&b);
	body_fini(&b);
	return status;
}

static int is_rest_same(const struct body *b, const struct definition *old,
			const struct definition *new)
{
	if (old->code - old->first != new->code - new->first ||
	    old->end - old->code != new->end - new->code)
		return 0;
	for (int i = 0; i < new->end - new->first; i++)
		if (new->first + i != new->code &&
		    b->old.steps[old->first + i].token != b->new.steps[new->first + i].token)
			return 0;
	return 1;
}

static int refine_class(struct selection *s, const struct group *group, PyObject *node,
			PyObject *name)
{
	struct definition old, new;

	if (!s->module->old_code || !body_find_new(&new, &s->body, group, name) ||
	    !body_find_old(&old, &s->body, name))
		return 0;
	PyObject *const codes[2] = {s->body.old.steps[old.code].value,
				    s->body.new.steps[new.code].value};
	int same = compare_class(s, codes, node, name);
	return same == 1 ? is_rest_same(&s->body, &old, &new) : same;
}

int selection_refine(struct selection *s, const struct group *group, PyObject *node)
{
	_cleanup_py_ PyObject *name = node_field(node, "name");

	if (!name)
		return 0;
	return node_is_function(node) ? refine_function(s, group, node, name)
				      : refine_class(s, group, node, name);
}
