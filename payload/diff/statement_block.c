/* SPDX-License-Identifier: MIT
 *
 * Blocks of a module (`if`, `with`, `try`) that changed: which statements inside run.
 *
 * Those that changed run, under the condition, the context manager or the handlers, which are
 * the same. The invariant: a statement that did not change runs again only where it decides
 * what else does, or where nothing tells that it ever ran.
 */
#include <limits.h>

#include "payload/base/freestanding.h"
#include "payload/diff/block.h"
#include "payload/python/node.h"
#include "payload/python/tree.h"

#define NEVER INT_MAX

/* A list of statements in the block. */
struct list {
	const struct block *b;
	PyObject *parent; /* borrowed */
	const char *field;
	int is_whole; /* all of it runs */
	/* From this statement on those that may raise run again, unless they are known to have
	 * run to their end. */
	int again;
};

/* --- statements inside ------------------------------------------------------------------- */

/* Did it change or, when asked for too, is a name that it binds not there? */
static int is_other(const struct block *b, PyObject *node, int or_missing)
{
	const struct block_lines lines = block_lines_of(b, node);

	for (int at = b->new.first; at < b->new.end; at++) {
		const struct step *step = &b->new.stream->steps[at];
		if (!block_has(b, &lines, at))
			continue;
		if (b->new.other[at] < 0 || (or_missing && step->is_store &&
					     !PyDict_GetItem(b->s->module->live, step->value)))
			return 1;
	}
	return 0;
}

static int is_list_other(const struct block *b, PyObject *parent, const char *field)
{
	_cleanup_py_ PyObject *list = node_field(parent, field);
	PyObject *item;

	for (Py_ssize_t i = 0; (item = py_item(list, i)); i++)
		if (is_other(b, item, 0))
			return 1;
	return 0;
}

static int is_empty(PyObject *value, const char *field)
{
	_cleanup_py_ PyObject *list = node_field(value, field);

	return list && !PyList_Size(list);
}

static int may_raise(PyObject *node)
{
	if (node_is_function(node))
		return !is_empty(node, "decorator_list");
	_cleanup_py_ PyObject *value =
		tree_is(node, "Assign AnnAssign") ? node_value(node) : NULL;
	return !value ||
	       !(node_is_constant(value) || is_empty(value, "elts") || is_empty(value, "keys"));
}

static int is_again(const struct list *list, int at, PyObject *node)
{
	return at >= list->again && may_raise(node);
}

/* --- with -------------------------------------------------------------------------------- */

static int has_name(PyObject *with)
{
	_cleanup_py_ PyObject *items = node_field(with, "items");
	PyObject *item;

	for (Py_ssize_t i = 0; (item = py_item(items, i)); i++) {
		_cleanup_py_ PyObject *name = node_field(item, "optional_vars");
		if (name && tree_is(name, "Name Tuple List Attribute Subscript"))
			return 1;
	}
	return 0;
}

/* What is evaluated anew may depend on what others did to the context: read a file up to here,
 * set a filter. Definitions and constants do not. */
static int may_run_in_part(const struct list *body)
{
	const struct block *b = body->b;
	_cleanup_py_ PyObject *nodes = node_body(body->parent);
	int is_bare = !has_name(body->parent), is_evaluated = 0;

	for (int i = 0; nodes && i < (int)PyList_Size(nodes); i++) {
		PyObject *node = PyList_GetItem(nodes, i);
		int runs = is_other(b, node, 1);
		if (runs && block_is_unreached(b, node))
			return 0;
		is_evaluated |= (runs && may_raise(node)) || is_again(body, i, node);
		is_bare &= node_is_definition(node) ||
			   tree_is(node, "Assign AnnAssign Import ImportFrom Pass");
	}
	return is_bare || !is_evaluated;
}

/* --- what runs --------------------------------------------------------------------------- */

static int sort_block(const struct block *b, PyObject *node, int again);
static int sort_whole(const struct block *b, PyObject *node);

static int is_head_found(const struct block *b, PyObject *node)
{
	int line = node_first_line(node);

	for (int i = b->new.first; i < b->new.end; i++)
		if (b->owner[i] == line && b->new.other[i] < 0)
			return 0;
	return 1;
}

static int choose(const struct sorter *sorter, const struct group *group, PyObject *node)
{
	const struct list *list = sorter->context;

	if (!group->is_changed && tree_is(node, "AnnAssign"))
		return selection_annotate_alone(&sorter->selection->job->world, node);
	int runs = selection_choose(sorter, group, node);
	if (runs <= 0 || !block_is(node))
		return runs;
	if (list->is_whole || !is_head_found(list->b, node))
		return sort_whole(list->b, node);
	return sort_block(list->b, node, is_again(list, group->first_node, node) ? 0 : NEVER);
}

/* Does something else in the block work on what the statement binds, or bind what it uses? */
static int is_shared(const struct block *b, const struct group *group,
		     const struct block_lines *lines)
{
	const struct step *steps = b->new.stream->steps;

	for (int i = b->new.first; i < b->new.end; i++)
		for (int k = group->first; k < group->end && !block_has(b, lines, i); k++) {
			int is_named = (steps[k].is_store && steps[i].is_use) ||
				       (steps[i].is_store && steps[k].is_use);
			if (is_named && !PyUnicode_Compare(steps[i].value, steps[k].value))
				return 1;
		}
	return 0;
}

/* Did it stand elsewhere? When all of the block runs, what works together does it together. */
static int is_moved(const struct list *list, struct group group, PyObject *node)
{
	const struct block *b = list->b;
	const struct block_lines lines = block_lines_of(b, node);

	if (list->is_whole &&
	    (is_shared(b, &group, &lines) || (b->is_in_context && may_raise(node))))
		return 0;
	if (group.first < group.end && !block_has_statements(node))
		group.end = block_unit_end(b, group.first);
	return body_find_moved(&b->s->body, &group, b->s->module->live);
}

/* Copies of one statement (`finally`) follow each other: the first counts. */
static struct group group_of(const struct list *list, PyObject *node, int at)
{
	const struct block *b = list->b;
	const struct block_lines lines = block_lines_of(b, node);
	struct group group = {
		.first_node = at,
		.node_count = 1,
		.line = lines.first,
		.line_end = lines.last + 1,
	};

	int is_to_renew = selection_is_to_renew(b->s, node) != 0;
	for (int i = 0; i < b->new.stream->count; i++) {
		if (!block_has(b, &lines, i))
			continue;
		if (is_to_renew && node_is_definition(node) && b->new.other[i] >= 0)
			b->s->body.is_used[b->new.other[i]] = 0; /* it has changed */
		if (group.first == group.end)
			group.first = group.end = i;
		if (group.end == i)
			group.end++;
	}
	group.is_anew = list->is_whole || is_to_renew;
	group.is_changed =
		is_to_renew ||
		((list->is_whole || is_other(b, node, 1)) && !is_moved(list, group, node)) ||
		is_again(list, at, node);
	return group;
}

static int sort(struct list *list)
{
	struct selection *s = list->b->s;
	int done =
		list->again == NEVER ? 0 : block_progress(list->b, list->parent, list->field);
	_cleanup_py_ PyObject *nodes = node_field(list->parent, list->field);
	int count = nodes ? (int)PyList_Size(nodes) : 0;
	struct group *groups = py_room(((size_t)count + 1) * sizeof(*groups));

	if (!groups)
		return -1;
	list->again = done > list->again ? done : list->again;
	for (int i = 0; i < count; i++)
		groups[i] = group_of(list, PyList_GetItem(nodes, i), i);
	struct body body = s->body;
	body.nodes = nodes;
	body.groups = groups;
	body.group_count = count;
	selection_need_built_on(&body, s->module->live);
	const struct sorter sorter = {.selection = s,
				      .body = &body,
				      .is_of_module = 1,
				      .choose = choose,
				      .context = list};
	_cleanup_py_ PyObject *chosen = count ? selection_sort(&sorter) : NULL;
	PyMem_Free(groups);
	return count && (!chosen || PyObject_SetAttrString(list->parent, list->field, chosen))
		       ? -1
		       : 0;
}

/* A branch that was not taken, as it seems, is the whole of what runs when it is taken now. */
static int sort_if(const struct block *b, PyObject *node, int again)
{
	int body = block_progress(b, node, "body"), orelse = block_progress(b, node, "orelse");

	return sort(&(struct list){b, node, "body", body < 0 && orelse >= 0, again}) ||
			       sort(&(struct list){b, node, "orelse", orelse < 0 && body >= 0,
						   again})
		       ? -1
		       : 0;
}

static int sort_with(const struct block *b, PyObject *node, int again)
{
	return sort(&(struct list){b, node, "body", 0, again});
}

struct handlers {
	int is_body_other;
	int any_ran; /* out */
};

/* When the body changed, a handler may be what runs for the first time. */
static int sort_handlers(const struct block *b, PyObject *node, struct handlers *handlers)
{
	_cleanup_py_ PyObject *list = node_field(node, "handlers");
	PyObject *handler;

	for (Py_ssize_t i = 0; (handler = py_item(list, i)); i++) {
		int ran = block_progress(b, handler, "body") >= 0;
		handlers->any_ran |= ran;
		if (sort(&(struct list){b, handler, "body", handlers->is_body_other && !ran,
					NEVER}))
			return -1;
	}
	return 0;
}

/* Whether the body comes to its end decides what else runs, so what may have ended it runs
 * again.
 */
static int sort_try(const struct block *b, PyObject *node, int again)
{
	struct handlers handlers = {.is_body_other = is_list_other(b, node, "body")};
	int is_else_known = block_progress(b, node, "orelse") >= 0;

	if (sort(&(struct list){b, node, "body", 0, is_else_known ? again : 0}) ||
	    sort_handlers(b, node, &handlers))
		return -1;
	int is_else_whole = !is_else_known && (handlers.is_body_other || handlers.any_ran);
	return sort(&(struct list){b, node, "orelse", is_else_whole, again}) ||
			       sort(&(struct list){b, node, "finalbody", 0, again})
		       ? -1
		       : 0;
}

/* The head runs in any case, and may bind names. */
static int note_head(const struct block *b, PyObject *node)
{
	const struct block_lines lines = block_lines_of(b, node);
	int owner = node == b->node ? 0 : lines.first;
	_cleanup_py_ PyObject *names = PyList_New(0);

	for (int i = 0; names && i < b->new.stream->count; i++) {
		const struct step *step = &b->new.stream->steps[i];
		if (b->owner[i] == owner && step->line >= lines.first &&
		    step->line <= lines.last && step->is_store &&
		    PyList_Append(names, step->value))
			return -1;
	}
	_cleanup_py_ PyObject *entry =
		names ? Py_BuildValue("(iiOi)", lines.first, 0, names, 1) : NULL;
	return py_append(b->s->module->chosen, entry);
}

/* --- all of it runs ---------------------------------------------------------------------- */

static int sort_all(const struct block *b, PyObject *parent, const char *field)
{
	return sort(&(struct list){b, parent, field, 1, NEVER});
}

/* But what did not change and stood elsewhere, and what definitions keep by themselves. */
static int sort_whole(const struct block *b, PyObject *node)
{
	struct block inside = *b;

	inside.is_in_context |= tree_is(node, "With");
	return note_head(b, node) || block_lists(&inside, node, sort_all) ? -1
									  : SELECTION_IN_PART;
}

/* --- a part of it ------------------------------------------------------------------------ */

static int sort_block(const struct block *b, PyObject *node, int again)
{
	int is_with = tree_is(node, "With");

	if (is_with && !may_run_in_part(&(struct list){b, node, "body", 0, again}))
		return sort_whole(b, node);
	if (note_head(b, node))
		return -1;
	int status = is_with                ? sort_with(b, node, again)
		     : tree_is(node, "Try") ? sort_try(b, node, again)
					    : sort_if(b, node, again);
	return status ? -1 : SELECTION_IN_PART;
}

/* --- the block --------------------------------------------------------------------------- */

/* What was found is not to be found again. */
static void use(const struct block *b)
{
	for (int i = 0; i < b->old.stream->count; i++)
		b->s->body.is_used[i] |= b->old.other[i] >= 0;
}

int selection_block(struct selection *s, const struct group *group, PyObject *node)
{
	struct block b = {0};
	/* When it runs for the sake of others, its definitions are compared all the same. */
	int is_same = group->old_first >= 0;

	if (!s->body.old.steps || group->first == group->end)
		return SELECTION_WHOLE;
	body_forget(&s->body, group);
	int found = block_init(&b, s, group, node);
	int runs = found < 0 ? -1 : SELECTION_WHOLE;
	if (found > 0 && !is_same) {
		use(&b);
		runs = sort_block(&b, node, NEVER);
	} else if (found >= 0 && b.is_told_apart) {
		runs = sort_whole(&b, node);
	}
	block_fini(&b);
	return runs;
}
