/* SPDX-License-Identifier: MIT
 *
 * Decorated functions that changed, of a module or a class, and methods that the class's maker
 * has wrapped. When the decorators did not change
 * they are not called: they have been once, and may have registered the function; what they
 * made stays, and the function inside takes the new definition. In their place stands one
 * decorator of our own (shadow/hooks/keep.py), which takes the new function away and gives what
 * is there.
 */
#include "payload/base/freestanding.h"
#include "payload/base/pointer_map.h"
#include "payload/diff/selection.h"
#include "payload/heap/referrers.h"
#include "payload/heap/untracked.h"
#include "payload/job/walk.h"
#include "payload/python/code.h"
#include "payload/python/node.h"
#include "payload/source/source.h"

#define DEPTH_MAX   6
#define VISITED_MAX 2000

/* --- the function inside a decorated one ------------------------------------------------- */

struct search {
	const struct selection *s;
	PyObject *code, *name; /* what is looked for; code may be NULL */
	PyObject *found;
	struct pointer_map seen;
	int visited;
	int is_deep; /* in containers and slots, too */
};

static int is_wanted(const struct search *search, PyObject *o)
{
	const struct module *m = search->s->module;
	PyObject *code;

	if (!world_is_function(o) || PyFunction_GetGlobals(o) != m->live)
		return 0;
	code = PyFunction_GetCode(o);
	if (search->code)
		return py_equal(code, search->code);
	_cleanup_py_ PyObject *name = code_name(code);
	return name && code_is_from(code, m->old_file) &&
	       !PyUnicode_Compare(name, search->name);
}

static int visit(struct search *search, PyObject *o, int depth);

/* What an instance of a class of any library keeps: a command its callback, a task its run. */
static PyObject *kept_by(const struct search *search, PyObject *o)
{
	const struct world *w = &search->s->job->world;

	if (world_is_class(o) || world_is_module(o) || world_is_function(o))
		return PyList_New(0);
	if (search->is_deep)
		return py_call(w->get_referents, o);
	_cleanup_py_ PyObject *dict = world_is_dict(o) ? NULL : world_own_dict(w, o);
	return dict ? PyDict_Values(dict) : PyList_New(0);
}

static int visit_all(struct search *search, PyObject *list, int depth)
{
	PyObject *item;
	for (Py_ssize_t i = 0; !search->found && (item = py_item(list, i)); i++)
		if (visit(search, item, depth))
			return -1;
	return list ? 0 : -1;
}

static int visit(struct search *search, PyObject *o, int depth)
{
	if (search->found || depth > DEPTH_MAX || search->visited > VISITED_MAX)
		return 0;
	int is_new = pointer_map_add(&search->seen, o);
	if (is_new <= 0)
		return is_new;
	search->visited++;
	if (is_wanted(search, o)) {
		search->found = py_ref(o);
		return 0;
	}
	_cleanup_py_ PyObject *inside = walk_inside(&search->s->job->world, o);
	_cleanup_py_ PyObject *kept = inside ? kept_by(search, o) : NULL;
	return kept && !visit_all(search, inside, depth + 1)
		       ? visit_all(search, kept, depth + 1)
		       : -1;
}

PyObject *selection_inner(const struct selection *s, PyObject *value, PyObject *code,
			  PyObject *name)
{
	struct search search = {.s = s, .code = code, .name = name};

	for (; !search.found && search.is_deep <= (code != NULL); search.is_deep++) {
		search.visited = 0;
		if (visit(&search, value, 0))
			Py_DecRef(py_take(&search.found));
		pointer_map_fini(&search.seen);
		PyErr_Clear();
	}
	return search.found;
}

/* --- functions --------------------------------------------------------------------------- */

/* The steps that make the function and what is made of it, but for those that give it what it
 * has besides its code. */
static int count_making(const struct body *b, const struct stream *s,
			const struct definition *d)
{
	int count = 0;

	for (int i = d->code; i < d->end; i++)
		count += b->tokens->world->opcodes.kind[s->steps[i].op] != OPCODE_GIVES;
	return count;
}

/* How many decorators are new above those that there were: none when all did not change, -1
 * when it is otherwise. The steps of their expressions come first, on lines above `def`. */
static int count_added(const struct body *b, const struct definition *old,
		       const struct definition *new, PyObject *node)
{
	_cleanup_py_ PyObject *decorators = node_decorators(node);
	int count = decorators ? (int)PyList_Size(decorators) : 0;
	int call = new->end - 2 > new->code ? b->new.steps[new->end - 2].token : -1;
	/* what makes type parameters is called before, as decorators are if it has no defaults
	 */
	int most = count + (b->new.steps[new->code].value != new->body);
	int calls = body_count_calls(&b->new, new, call, most + 1);
	int added = calls - body_count_calls(&b->old, old, call, most + 1);
	int line = node_header_line(node, b->tokens->world->opcodes.minor), at = new->first;

	if (!count)
		return count_making(b, &b->old, old) == count_making(b, &b->new, new) ? 0 : -1;
	if (calls < count || calls > most || added < 0 || added >= count)
		return -1;
	while (b->new.steps[at].line <
	       node_number(PyList_GetItem(decorators, added), "lineno", 0))
		at++;
	for (int i = old->first; at < new->code && b->new.steps[at].line < line; i++, at++)
		if (i >= old->code || b->old.steps[i].token != b->new.steps[at].token)
			return -1;
	return added;
}

/* @property, @staticmethod, @x.setter: they register nothing, and what they make can be
 * compared. A decorator of the program's may make the same (pydantic 1: @validator), and does
 * more.
 */
static int is_plain_wrapper(const struct world *w, PyObject *value, PyObject *node)
{
	return (py_is(value, w->property) || py_is(value, w->staticmethod) ||
		py_is(value, w->classmethod)) &&
	       node_is_plainly_decorated(node);
}

static PyObject *our_decorator(const struct selection *s, PyObject *key)
{
	_cleanup_py_ PyObject *text =
		PyUnicode_FromFormat("@__pyhotpatch_keep__('%U')\ndef f(): pass", key);
	_cleanup_py_ PyObject *tree = text ? source_parse(s->job, py_text(text)) : NULL;
	_cleanup_py_ PyObject *body = node_body(tree);

	return body ? node_decorators(py_head(body)) : NULL;
}

/* Several may be called the same (`_` that is registered somewhere). */
static int strip(struct selection *s, PyObject *decorators, int added, PyObject *qualname,
		 PyObject *entry)
{
	PyObject *inner = s->module->inner;
	_cleanup_py_ PyObject *key = py_ref(qualname);

	while (py_get(inner, key)) {
		PyObject *taken = key;
		key = PyUnicode_FromFormat("%U ", taken);
		Py_DecRef(taken);
	}
	_cleanup_py_ PyObject *ours = key ? our_decorator(s, key) : NULL;
	if (!ours || py_put(inner, key, entry))
		return -1;
	return PyList_SetSlice(decorators, added, PyList_Size(decorators), ours);
}

/* The old code of a function, NULL without exception when it can only be told by its name. -1
 * when its decorators changed, or how many are new above those that there were. */
static int find_old_code(struct selection *s, PyObject **code_out,
			 const struct function_place *at, PyObject *node,
			 const struct definition *new, int count)
{
	const struct body *b = at->body;
	struct definition old;

	*code_out = NULL;
	if (!b->old.steps)
		return count && selection_is_decorated_otherwise(s, at, node) ? -1 : 0;
	if (!at->group->is_changed)
		return 0;
	int added = -1;
	for (int end = b->old.count; added < 0 && body_find_old(&old, b, at->name, end);
	     end = old.code) {
		*code_out = old.body;
		added = count_added(b, &old, new, node);
	}
	return added;
}

/* --- what the program put in the place of a function ------------------------------------- */

static PyObject *aside_among(const struct selection *s, PyObject *objects, PyObject *code)
{
	PyObject *aside = NULL;
	PyObject *item;

	for (Py_ssize_t i = 0; !aside && (item = py_item(objects, i)); i++)
		if (world_is_function(item) && PyFunction_GetGlobals(item) == s->module->live)
			aside = selection_inner(s, item, code, NULL);
	return aside;
}

/* What replaced it need not lead to it (unittest.mock.patch holds it elsewhere): among all that
 * refers to the module's namespace, also where the collector does not list it. */
static PyObject *find_aside(const struct selection *s, PyObject *code)
{
	const struct world *w = s->tokens.world;
	_cleanup_py_ PyObject *keys = Py_BuildValue("[O]", s->module->live);
	_cleanup_py_ PyObject *found = keys ? referrers_find(w, keys) : NULL;
	PyObject *aside = aside_among(s, found, code);
	_cleanup_py_ PyObject *hidden =
		aside ? NULL : untracked_find(w, untracked_is_frozen(w));

	return aside ? aside : aside_among(s, hidden, code);
}

/* Decorators that are new above the others are called, with what is there.
 *
 * Where a function is as plain in its old source as in the new one, nothing else of the source
 * binds its name, and something else is there, the program put that there: it stays, and the
 * function takes its new definition where it is. */
int selection_function(struct selection *s, const struct function_place *at, PyObject *node)
{
	const struct body *b = at->body;
	_cleanup_py_ PyObject *decorators = node_decorators(node);
	PyObject *live = PyDict_GetItem(at->names, at->name), *old_code;
	struct definition new;
	int count = decorators ? (int)PyList_Size(decorators) : 0, added;
	int is_plain = !count && !at->is_made;
	int several = body_count_stores(&b->new, at->name) != 1;

	if (!live ||
	    ((count || !at->is_made) && is_plain_wrapper(s->tokens.world, live, node)) ||
	    (several && !count) || !body_find_new(&new, b, at->group, at->name) ||
	    (added = find_old_code(s, &old_code, at, node, &new, count)) < 0 ||
	    (added && at->names != s->module->live) || (several && !old_code) ||
	    (is_plain && (!old_code || body_count_stores(&b->old, at->name) != 1)))
		return 0;
	_cleanup_py_ PyObject *inner = selection_inner(s, live, old_code, at->name);
	if (is_plain && !inner && world_is_function(live) &&
	    PyFunction_GetGlobals(live) == s->module->live)
		return 0; /* it may have been given another code */
	if ((is_plain || several) && !inner)
		inner = find_aside(s, old_code);
	if (is_plain && !inner)
		return PyErr_Occurred() ? -1 : 1; /* it is gone */
	_cleanup_py_ PyObject *entry =
		inner ? Py_BuildValue("(OOOii)", inner, new.body, live,
				      at->is_whole && at->is_made && !count, added)
		      : NULL;
	return inner && (count || inner != live)
		       ? strip(s, decorators, added, at->qualname, entry)
		       : 0;
}

static int is_decorated_anew(const struct body *b, const struct group *group, PyObject *node)
{
	_cleanup_py_ PyObject *name = node_name(node);
	struct definition new, old;

	if (!name || !b->old.steps || !body_find_new(&new, b, group, name))
		return 0;
	if (!body_find_old(&old, b, name, b->old.count))
		return 1;
	return count_added(b, &old, &new, node) != 0;
}

int selection_is_decorated_anew(const struct body *b)
{
	for (int i = 0; i < b->group_count; i++) {
		PyObject *node = PyList_GetItem(b->nodes, b->groups[i].first_node);
		if (b->groups[i].is_changed && node_is_function(node) &&
		    is_decorated_anew(b, &b->groups[i], node))
			return 1;
	}
	return 0;
}
