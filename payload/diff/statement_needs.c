/* SPDX-License-Identifier: MIT
 *
 * Statements of a module or class that did not change, and run all the same because others
 * build on them:
 *
 *   - a changed one uses a name that a later `del` took away: who bound it runs, and the `del`;
 *   - a changed one builds on the value that it binds anew (`N += 1`): it would be built on
 *     twice. Who bound it runs if that was plain constants, not state. What is new there
 *     (`urlpatterns += [...]`) has not been built on yet;
 *   - a function has a default of names and operators (`timeout=2 * TIMEOUT`), one of them
 *     assigned by a statement that changed, unless it has others that are called;
 *   - a value is made of names and operators alone (`URL = BASE + "/v1"`), one of the names
 *     assigned by a statement that changed, and nobody has bound anything else since;
 *   - a dataclass is below one that changed: it has that one's fields;
 *   - a class has another base, by an import that changed (`from b import Base`);
 *   - one that bound a name again is gone (a property's setter, the second of two values): who
 *     binds it now runs, unless that is a loop: its variables are nobody's values.
 */
#include "payload/base/freestanding.h"
#include "payload/diff/block.h"
#include "payload/python/class_maker.h"
#include "payload/python/compare.h"
#include "payload/python/node.h"
#include "payload/python/tree.h"

static PyObject *node_of(const struct body *b, const struct group *group)
{
	return PyList_GetItem(b->nodes, group->first_node);
}

/* A statement that changed, and binds the name; NULL when there is none. */
static const struct group *changed_for(const struct body *b, PyObject *name)
{
	for (int i = 0; i < b->group_count; i++)
		if (b->groups[i].is_changed && body_binds(b, &b->groups[i], name))
			return &b->groups[i];
	return NULL;
}

/* --- names that are not there, and values that are built on ------------------------------- */

/* A constant, or a list or tuple that is not empty. */
static int is_plain(PyObject *node)
{
	_cleanup_py_ PyObject *value =
		tree_is(node, "Assign AugAssign AnnAssign") ? node_value(node) : NULL;
	_cleanup_py_ PyObject *items = node_field(value, "elts");

	return value && (items ? tree_is(value, "List Tuple") && PyList_Size(items) > 0
			       : node_is_constant(value));
}

/* Did the old body bind it where nothing does now? */
static int was_bound(const struct body *b, PyObject *name)
{
	for (int i = 0; i < b->old.count; i++)
		if (!b->is_used[i] && stream_binds(&b->old.steps[i], name))
			return 1;
	return 0;
}

static void need(struct body *b, int at, PyObject *name, PyObject *names)
{
	int is_missing = !PyDict_GetItem(names, name);
	int i = at - 1;

	while (i >= 0 && !body_binds(b, &b->groups[i], name))
		i--;
	if (i >= 0 &&
	    (is_missing || (body_binds(b, &b->groups[at], name) && was_bound(b, name) &&
			    is_plain(node_of(b, &b->groups[i]))))) {
		b->groups[i].is_changed = 1;
		b->groups[i].is_retyped = 0;
	}
}

/* What is bound for others and goes again: `del`, behind it. */
static void drop(struct body *b, int at, PyObject *names)
{
	for (int i = at + 1; i < b->group_count; i++) {
		struct group *group = &b->groups[i];
		if (group->is_changed || !tree_is(node_of(b, group), "Delete"))
			continue;
		for (int k = group->first; k < group->end; k++)
			if (b->new.steps[k].is_use &&
			    !PyDict_GetItem(names, b->new.steps[k].value) &&
			    body_binds(b, &b->groups[at], b->new.steps[k].value))
				group->is_changed = 1;
	}
}

/* --- what is made of what changed -------------------------------------------------------- */

/* Of a body. */
struct renewal {
	struct selection *s;
	struct body *body;
	PyObject *class_names; /* NULL: the module's body */
	PyObject *names;       /* set: those that are bound anew */
	int found;             /* how many of them there are */
};

/* Notes what a statement that changed binds by assignments, unless others bind it as well; of a
 * block what that part of it binds which changed. */
static void note_renewed(const struct renewal *r, const struct group *group)
{
	const struct body *b = r->body;
	PyObject *node = node_of(b, group);
	int in_block = !r->class_names && block_is(node);
	struct block block = {0};
	int found = in_block ? block_init(&block, r->s, group, node) : 0;
	_cleanup_py_ PyObject *value = node_value(node);

	for (int i = group->first; i < group->end; i++)
		if (b->new.steps[i].is_store &&
		    (found > 0 ? block.new.other[i] < 0 : in_block || value) &&
		    body_count_stores(&b->new, b->new.steps[i].value) == 1 &&
		    PySet_Add(r->names, b->new.steps[i].value))
			break;
	block_fini(&block);
}

/* What is called may do more than make an object. */
static int is_call(PyObject *node, void *context)
{
	struct renewal *r = context;
	_cleanup_py_ PyObject *id = tree_is(node, "Name") ? node_id(node) : NULL;

	if (!id)
		return !node_is_plain(node) && !tree_is(node, "List Dict Set");
	r->found += PySet_Contains(r->names, id) == 1 ||
		    (r->class_names && !body_count_stores(&r->body->new, id) &&
		     PySet_Contains(r->s->renewed, id) == 1);
	return 0;
}

/* `def f(timeout=TIMEOUT)`. */
static int has_renewed_default(struct renewal r, PyObject *node)
{
	_cleanup_py_ PyObject *args = node_args(node);
	_cleanup_py_ PyObject *defaults = node_field(args, "defaults");
	_cleanup_py_ PyObject *keywords = node_field(args, "kw_defaults");
	const struct world *w = r.body->tokens->world;

	return defaults && keywords && !tree_any(w, defaults, is_call, &r) &&
	       !tree_any(w, keywords, is_call, &r) && r.found;
}

/* `x = ...` of names and operators; with its value, a new reference, or NULL. */
static PyObject *derived_name(struct renewal r, PyObject *node, PyObject **value)
{
	_cleanup_py_ PyObject *targets =
		tree_is(node, "Assign") ? node_field(node, "targets") : NULL;
	_cleanup_py_ PyObject *target =
		tree_is(node, "AnnAssign") ? node_field(node, "target") : NULL;
	PyObject *one = py_count(targets) == 1 ? py_head(targets) : target;

	*value = one ? node_value(node) : NULL;
	if (!*value || tree_any(r.body->tokens->world, *value, is_call, &r) || !r.found)
		return NULL;
	return node_id(one);
}

static int has_part_to_renew(const struct renewal *r, PyObject *class)
{
	_cleanup_py_ PyObject *nodes = node_body(class);
	PyObject *node;

	for (Py_ssize_t i = 0; (node = py_item(nodes, i)); i++) {
		_cleanup_py_ PyObject *value = NULL;
		_cleanup_py_ PyObject *name = derived_name(*r, node, &value);
		if (name || (node_is_function(node) && has_renewed_default(*r, node)))
			return 1;
	}
	return 0;
}

/* Has the name what the old constants make of the value? */
static int is_value_to_renew(const struct renewal *r, PyObject *node)
{
	const struct world *w = r->body->tokens->world;
	_cleanup_py_ PyObject *value = NULL;
	_cleanup_py_ PyObject *name = derived_name(*r, node, &value);
	PyObject *live = py_get(r->class_names ? r->class_names : r->s->module->live, name);
	_cleanup_py_ PyObject *old = live ? selection_value(r->s, r->class_names, value) : NULL;

	return old && compare_is_constant(w, live) && compare_constants(w, live, old) &&
	       !PySet_Add(r->names, name);
}

static int is_to_renew(const struct renewal *r, PyObject *node)
{
	if (!node_is_definition(node))
		return is_value_to_renew(r, node);
	return node_is_function(node) ? has_renewed_default(*r, node)
				      : !r->class_names && has_part_to_renew(r, node);
}

/* Of a block. */
struct inside {
	const struct renewal *renewal;
	int found;
};

static int see_inside(PyObject *node, void *context)
{
	struct inside *inside = context;

	inside->found += is_to_renew(inside->renewal, node) != 0;
	return 0;
}

/* All of a block are seen: one may be made of another. */
static int has_to_renew(const struct renewal *r, PyObject *node)
{
	struct inside inside = {r, 0};

	if (r->class_names || !block_is(node))
		return is_to_renew(r, node);
	tree_any(r->body->tokens->world, node, see_inside, &inside);
	return inside.found;
}

static void renew(const struct renewal *r)
{
	struct body *b = r->body;

	for (int i = 0; r->names && i < b->group_count; i++) {
		struct group *group = &b->groups[i];
		if (group->is_changed)
			note_renewed(r, group);
		if (PySet_Size(r->names) + (r->class_names != NULL) && group->node_count == 1 &&
		    has_to_renew(r, node_of(b, group)) && !group->is_changed) {
			body_let_go(b, group);
			group->is_anew = 1;
		}
	}
}

int selection_is_to_renew(struct selection *s, PyObject *node)
{
	return has_to_renew(&(struct renewal){s, &s->body, NULL, s->renewed, 0}, node);
}

/* --- classes below others ---------------------------------------------------------------- */

/* Those above a class that its maker took something over from, nearest first; NULL with an
 * exception. */
static PyObject *taken_from(const struct world *w, PyObject *class, PyObject *bound)
{
	_cleanup_py_ PyObject *mro = world_is_class(class) ? world_mro(class) : NULL;
	_cleanup_py_ PyObject *out = PyList_New(0);
	PyObject *item;

	for (Py_ssize_t i = 1; out && (item = py_tuple_item(mro, i)); i++)
		if (class_maker_took_over(w, class, item, bound) && PyList_Append(out, item))
			return NULL;
	return py_take(&out);
}

int selection_is_remade(const struct job *job, PyObject *class)
{
	PyObject *item;

	for (Py_ssize_t i = 0; (item = py_item(job->remade, i)); i++)
		if (item == class)
			return 1;
	return 0;
}

int selection_note_remade(const struct job *job, PyObject *class)
{
	return selection_is_remade(job, class) ? 0 : PyList_Append(job->remade, class);
}

int selection_is_below_remade(const struct job *job, PyObject *class, PyObject *bound)
{
	_cleanup_py_ PyObject *above =
		PyList_Size(job->remade) ? taken_from(&job->world, class, bound) : NULL;
	PyObject *base;

	for (Py_ssize_t i = 0; (base = py_item(above, i)); i++)
		if (selection_is_remade(job, base))
			return 1;
	return 0;
}

/* Does a changed import bring another base, or decorator? */
static int is_rebased(struct selection *s, const struct body *b, const struct group *class)
{
	for (int i = class->first; i < class->end; i++) {
		const struct group *import =
			b->new.steps[i].is_use ? changed_for(b, b->new.steps[i].value) : NULL;
		if (import && selection_is_import_other(s, node_of(b, import), s->module->live))
			return 1;
	}
	return 0;
}

static void need_below(struct selection *s, struct body *b, struct group *group,
		       PyObject *names)
{
	_cleanup_py_ PyObject *id = node_name(node_of(b, group));
	PyObject *class = py_get(names, id);
	_cleanup_py_ PyObject *above = class ? taken_from(b->tokens->world, class, NULL) : NULL;
	PyObject *item;

	int is_anew = group->is_rebased = is_rebased(s, b, group) != 0;
	for (Py_ssize_t i = 0; (item = py_item(above, i)); i++) {
		_cleanup_py_ PyObject *own = world_name(item);
		is_anew |= selection_is_remade(s->job, item) || (own && changed_for(b, own));
	}
	if (is_anew)
		body_let_go(b, group);
}

/* --- names that were bound again -----------------------------------------------------------
 */

/* Does the statement make of the name what it is not yet? Not `import x` of the module that it
 * is. */
static int binds_other(const struct body *b, const struct group *group, PyObject *name,
		       PyObject *now)
{
	const struct world *w = b->tokens->world;

	for (int i = group->first; i < group->end; i++) {
		PyObject *from = i ? b->new.steps[i - 1].value : NULL;
		if (stream_binds(&b->new.steps[i], name) &&
		    !(now && world_is_str(from) && PyDict_GetItem(w->modules, from) == now))
			return 1;
	}
	return 0;
}

static void bind_again(struct body *b, PyObject *name, PyObject *now)
{
	if (body_count_stores(&b->old, name) <= body_count_stores(&b->new, name) ||
	    changed_for(b, name))
		return;
	for (int i = 0; i < b->group_count; i++)
		b->groups[i].is_changed |= !tree_is(node_of(b, &b->groups[i]), "For While") &&
					   binds_other(b, &b->groups[i], name, now);
}

/* -------------------------------------------------------------------------------------------
 */

static int count_changed(const struct body *b)
{
	int count = 0;

	for (int i = 0; i < b->group_count; i++)
		count += b->groups[i].is_changed;
	return count;
}

static void need_all(struct body *b, int at, PyObject *names)
{
	for (int k = b->groups[at].first; k < b->groups[at].end; k++)
		if (b->new.steps[k].is_use)
			need(b, at, b->new.steps[k].value, names);
	drop(b, at, names);
}

void selection_need_built_on(struct body *b, PyObject *names)
{
	int before = -1;

	while (before != count_changed(b)) {
		before = count_changed(b);
		for (int i = b->group_count; i-- > 0;)
			if (b->groups[i].is_changed)
				need_all(b, i, names);
	}
}

void selection_need(struct selection *s, struct body *b, PyObject *names, PyObject *class_names)
{
	if (!s->renewed)
		s->renewed = PySet_New(NULL);

	for (int i = 0; i < b->old.count; i++)
		if (!b->is_used[i] && b->old.steps[i].is_store)
			bind_again(b, b->old.steps[i].value,
				   py_get(names, b->old.steps[i].value));
	selection_need_built_on(b, names ? names : class_names);
	_cleanup_py_ PyObject *own = names ? py_ref(s->renewed) : PySet_New(NULL);
	renew(&(struct renewal){s, b, class_names, own, 0});
	for (int i = 0; names && i < b->group_count; i++)
		if (tree_is(node_of(b, &b->groups[i]), "ClassDef"))
			need_below(s, b, &b->groups[i], names);
	body_follow(b);
	PyErr_Clear();
}
