/* SPDX-License-Identifier: MIT
 *
 * The selection of statements.
 *
 * What is not selected stays in the syntax tree below `if 0:`. So it is not compiled to
 * anything, but its imports and `global` declarations still count, on which the code of others
 * depends; and every line stays where it is.
 *
 * The invariant: a statement that did not change does not run, but for imports of modules that
 * changed too, so that what did change sees their new names.
 */
#include "payload/diff/statements.h"

#include "payload/base/freestanding.h"
#include "payload/diff/block.h"
#include "payload/diff/executed_annotations.h"
#include "payload/diff/selection.h"
#include "payload/diff/star_imports.h"
#include "payload/python/code.h"
#include "payload/python/compare.h"
#include "payload/python/node.h"
#include "payload/python/tree.h"
#include "payload/source/source.h"

/* The docstring and `from __future__` must be first, and do no harm. */
static int is_header(PyObject *node, int at)
{
	return node_field_is(node, "module", "__future__") ||
	       (at == 0 && node_is_docstring(node));
}

/* --- imports of modules that changed too ------------------------------------------------- */

static int names_component(PyObject *node, const char *leaf)
{
	_cleanup_py_ PyObject *module = node_field(node, "module");
	_cleanup_py_ PyObject *names = node_field(node, "names");
	const char *text = py_text(module);

	PyErr_Clear();
	if (text && text_is_word(leaf, text))
		return 1;
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(names, i)); i++) {
		_cleanup_py_ PyObject *name = node_name(item);
		text = py_text(name);
		if (text && text_is_word(leaf, text))
			return 1;
	}
	PyErr_Clear();
	return 0;
}

/* May it import from another module of this reload? Rather once too often. In a module that
 * moved a relative import may mean another one than it did. */
static int imports_changed(const struct selection *s, PyObject *node)
{
	const struct modules *all = &s->job->modules;

	if (!tree_is(node, "Import ImportFrom"))
		return 0;
	for (size_t i = 0; i < all->count; i++) {
		const char *name = py_text(all->items[i].name);
		if ((&all->items[i] == s->module && !s->module->place) ||
		    !all->items[i].object || !name)
			continue;
		if (names_component(node, module_leaf(name)) ||
		    node_number(node, "level", 0) > 0)
			return 1;
	}
	PyErr_Clear();
	return 0;
}

/* Notes which names an unchanged import binds, and what they are called where they come from.
 */
static int note_refreshed(struct selection *s, PyObject *node)
{
	_cleanup_py_ PyObject *names = node_field(node, "names");
	PyObject *alias;

	for (Py_ssize_t i = 0; (alias = py_item(names, i)); i++) {
		_cleanup_py_ PyObject *name = node_name(alias);
		_cleanup_py_ PyObject *bound = node_bound_name(alias);
		if (name && (PyDict_SetItem(s->module->refreshed, bound, name) ||
			     PySet_Discard(s->module->superseded, bound) < 0))
			return -1;
	}
	return 0;
}

/* --- the choice -------------------------------------------------------------------------- */

static void warn_not_run(const struct selection *s, PyObject *node)
{
	int line = node_number(node, "lineno", 0);
	_cleanup_py_ PyObject *number = PyUnicode_FromFormat("%d", line);

	job_note(s->job,
		 &(struct reply_item){.kind = WIRE_RECORD_WARNING,
				      .action = WIRE_ACTION_SKIPPED,
				      .wording = WIRE_TEXT_NOT_RUN,
				      .line = (uint32_t)line,
				      .text = py_text(number)},
		 s->module);
	PyErr_Clear();
}

/* A definition that changed: what of it need not run. 1 when it turns out to be the same. */
static int refine(struct selection *s, const struct group *group, PyObject *node)
{
	_cleanup_py_ PyObject *name = node_name(node);
	const struct function_place place = {.body = &s->body,
					     .group = group,
					     .names = s->module->live,
					     .name = name,
					     .qualname = name};

	if (!name)
		return 0;
	return node_is_function(node) ? selection_function(s, &place, node)
				      : selection_class(s, &place, node);
}

int selection_choose(const struct sorter *sorter, const struct group *group, PyObject *node)
{
	struct selection *s = sorter->selection;
	int is_changed = group->is_changed;

	if (!is_changed && imports_changed(s, node))
		return note_refreshed(s, node) ? -1 : 1;
	if (is_changed && (s->module->is_main || s->module->is_running) &&
	    !source_may_run_again(s->job, s->module, node)) {
		warn_not_run(s, node);
		return 0;
	}
	if (is_changed && group->is_retyped)
		return selection_annotate_alone(&s->job->world, node);
	if (is_changed && group->node_count == 1 && node_is_definition(node)) {
		int same = refine(s, group, node);
		return same < 0 ? -1 : !same;
	}
	return is_changed;
}

static int choose(const struct sorter *sorter, const struct group *group, PyObject *node)
{
	int runs = selection_choose(sorter, group, node);

	return runs > 0 && group->is_changed && group->node_count == 1 && block_is(node)
		       ? selection_block(sorter->selection, group, node)
		       : runs;
}

/* `if 0:` with the statements in it. */
static int add_dead(const struct selection *s, PyObject *out, PyObject **dead)
{
	if (!PyList_Size(*dead))
		return 0;
	_cleanup_py_ PyObject *tree = source_parse(s->job, "if 0: pass");
	_cleanup_py_ PyObject *body = node_body(tree);
	PyObject *node = body ? py_head(body) : NULL;

	if (!node || PyObject_SetAttrString(node, "body", *dead) || PyList_Append(out, node))
		return -1;
	Py_DecRef(*dead);
	*dead = PyList_New(0);
	return *dead ? 0 : -1;
}

static long definition_kind(PyObject *node)
{
	if (node_is_function(node))
		return WIRE_RECORD_FUNCTION;
	return node_is_definition(node) ? WIRE_RECORD_CLASS : 0;
}

static int add_name(const struct body *b, int at, PyObject *names)
{
	const struct step *step = &b->new.steps[at];

	return step->is_store ? PyList_Append(names, step->value) : 0;
}

static int add_names(const struct body *b, const struct group *group, PyObject *names)
{
	for (int i = group->first; i < group->end; i++)
		if (add_name(b, i, names))
			return -1;
	return 0;
}

static int note_redefined(const struct selection *s, const struct group *group, PyObject *node)
{
	_cleanup_py_ PyObject *name = node_is_function(node) ? node_name(node) : NULL;

	const struct function_place place = {
		.body = &s->body, .group = group, .name = name, .qualname = name};

	return name ? selection_note_head(s->module, &place) : 0;
}

/* What is told of the choice: of a statement that runs everything, of others the names. */
static int note_choice(const struct selection *s, const struct group *group, PyObject *node,
		       int runs)
{
	struct module *m = s->module;

	if (!runs)
		return add_names(&s->body, group, m->stays);
	/* Of an import that runs for the sake of what it imports, that is told. */
	int is_told = group->is_changed || star_imports_is(node);
	int line = is_told ? node_number(node, "lineno", 0) : 0;
	_cleanup_py_ PyObject *names = PyList_New(0);
	_cleanup_py_ PyObject *entry =
		names && !add_names(&s->body, group, names)
			? Py_BuildValue("(iiO)", line, (int)definition_kind(node), names)
			: NULL;
	return entry && !note_redefined(s, group, node) ? PyList_Append(m->chosen, entry) : -1;
}

static int may_be_called(PyObject *value)
{
	return value &&
	       (world_is_function(value) || world_is_class(value) || world_is_module(value));
}

/* A body inside a statement is executed with it, unless it is that of a function. */
static int note_use(const struct selection *s, const struct step *step, PyObject *node)
{
	const struct world *w = &s->job->world;
	struct module *m = s->module;
	PyObject *value = step->value;
	int is_code = world_is_code(value);

	if (!value || step->is_store ||
	    (!is_code && (step->op == w->opcodes.load_const || !world_is_str(value))))
		return 0;
	m->may_call |= is_code ? !node_is_function(node)
			       : !tree_is(node, "Import ImportFrom") &&
					 may_be_called(PyDict_GetItem(m->live, value));
	return PySet_Add(m->uses, value);
}

static int note_uses(const struct selection *s, const struct group *group, PyObject *node)
{
	for (int i = group->first; i < group->end; i++)
		if (note_use(s, &s->body.new.steps[i], node))
			return -1;
	return 0;
}

static int sort_group(const struct sorter *sorter, const struct group *group, PyObject *out,
		      PyObject **dead)
{
	const struct selection *s = sorter->selection;

	for (int i = group->first_node; i < group->first_node + group->node_count; i++) {
		PyObject *node = PyList_GetItem(sorter->body->nodes, i);
		int is_first = is_header(node, i);
		int runs = is_first ? 1 : sorter->choose(sorter, group, node);
		if (runs < 0 || (runs && add_dead(s, out, dead)) ||
		    PyList_Append(runs ? out : *dead, node) ||
		    (runs && sorter->is_of_module && note_uses(s, group, node)) ||
		    (!runs && block_is(node) && star_imports_lift(s, node, out)))
			return -1;
		if (sorter->is_of_module && runs != SELECTION_IN_PART &&
		    (!is_first || group->is_changed) && note_choice(s, group, node, runs))
			return -1;
	}
	return 0;
}

PyObject *selection_sort(const struct sorter *sorter)
{
	_cleanup_py_ PyObject *out = PyList_New(0);
	_cleanup_py_ PyObject *dead = PyList_New(0);

	if (!out || !dead)
		return NULL;
	for (int i = 0; i < sorter->body->group_count; i++)
		if (sort_group(sorter, &sorter->body->groups[i], out, &dead))
			return NULL;
	return add_dead(sorter->selection, out, &dead) ? NULL : py_take(&out);
}

static void find_moved(const struct selection *s)
{
	for (int i = 0; s->body.old.steps && i < s->body.group_count; i++) {
		struct group *group = &s->body.groups[i];
		if (group->is_changed && body_find_moved(&s->body, group, s->module->live))
			group->is_changed = 0;
	}
}

static int select_statements(struct selection *s)
{
	struct module *m = s->module;
	_cleanup_py_ PyObject *tree = source_tree(s->job, m);
	_cleanup_py_ PyObject *nodes = node_body(tree);

	source_let_run(s->job);
	for (PyObject **dict = &m->inner; dict <= &m->refreshed; dict++)
		*dict = PyDict_New();
	for (PyObject **set = &m->uses; set <= &m->headed; set++)
		*set = PySet_New(NULL);
	m->chosen = PyList_New(0);
	m->stays = PyList_New(0);
	if (!nodes || PyErr_Occurred() ||
	    body_init(&s->body, &s->tokens, m->old_code, m->code, nodes) ||
	    (!m->old_code && selection_infer(s)) ||
	    executed_annotations_note(s->job, m, &s->body) || star_imports_note(s))
		return -1;
	source_let_run(s->job);
	find_moved(s);
	if (block_pair_all(s))
		return -1;
	selection_need(s, &s->body, m->live, NULL);
	_cleanup_py_ PyObject *kept = PySet_New(NULL);
	if (!kept || body_note_kept(&s->body, kept, m->superseded))
		return -1;
	source_let_run(s->job);
	const struct sorter sorter = {
		.selection = s, .body = &s->body, .is_of_module = 1, .choose = choose};
	_cleanup_py_ PyObject *chosen = selection_sort(&sorter);
	if (!chosen || PyObject_SetAttrString(tree, "body", chosen))
		return -1;
	m->run_code = source_compile_tree(s->job, m, tree);
	source_let_run(s->job);
	m->is_partial = m->run_code != NULL;
	return m->run_code ? 0 : -1;
}

void selection_fini(struct selection *s)
{
	body_fini(&s->body);
	py_drop_all(s->rebound, &s->renewed + 1);
	tokens_fini(&s->tokens);
}

int statements_select(struct job *job, struct module *module)
{
	struct selection s = {.job = job, .module = module};
	int status = tokens_init(&s.tokens, &job->world);

	if (!status)
		status = select_statements(&s);
	selection_fini(&s);
	return status;
}

/* --- afterwards -------------------------------------------------------------------------- */

/* Without its decorators a function is said to start at `def`; with them, above. */
static int settle_inner(struct module *m)
{
	PyObject *qualname, *pair;
	Py_ssize_t at = 0;

	while (PyDict_Next(m->donors, &at, &qualname, &pair)) {
		PyObject *entry = PyDict_GetItem(m->inner, qualname);
		if (entry &&
		    PyObject_SetAttrString(py_first(pair), "__code__", py_second(entry)))
			return -1;
		PyErr_Clear();
	}
	return 0;
}

/* Does the value come from a changed module that had another one under that name before than
 * the importer? It was imported once, or the program has put something else in its place. */
static int is_no_change(const struct job *job, PyObject *origin, PyObject *value,
			PyObject *before)
{
	for (size_t i = 0; i < job->modules.count; i++) {
		const struct module *m = &job->modules.items[i];
		PyObject *was = PyDict_GetItem(m->live, origin);
		if (m->fresh && was && was != before &&
		    PyDict_GetItem(m->fresh, origin) == value)
			return 1;
	}
	return 0;
}

/* A name that was imported once keeps its value as long as its source does. */
static int settle_refreshed(const struct job *job, struct module *m)
{
	PyObject *name, *origin;
	Py_ssize_t at = 0;

	while (PyDict_Next(m->refreshed, &at, &name, &origin)) {
		PyObject *value = PyDict_GetItem(m->fresh, name);
		PyObject *before = PyDict_GetItem(m->before, name);
		if (value && before && value != before &&
		    is_no_change(job, origin, value, before) &&
		    PyDict_SetItem(m->fresh, name, before))
			return -1;
	}
	return 0;
}

static int settle_annotations(struct module *m)
{
	PyObject *before = PyDict_GetItemString(m->before, "__annotations__");
	PyObject *fresh = PyDict_GetItemString(m->fresh, "__annotations__");

	if (!world_is_dict(before) || !world_is_dict(fresh) || !compare_contents(before, fresh))
		return 0;
	return PyDict_SetItemString(m->fresh, "__annotations__", before);
}

int statements_settle(struct job *job, struct module *m)
{
	if (!m->inner || !m->fresh)
		return 0;
	return settle_inner(m) || settle_refreshed(job, m) || settle_annotations(m) ||
			       executed_annotations_settle(&job->world, m)
		       ? -1
		       : 0;
}
