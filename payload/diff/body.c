/* SPDX-License-Identifier: MIT
 *
 * Finding statements again.
 *
 * A statement of the new body is unchanged when its steps are somewhere in the old body, in one
 * piece that nothing flows into or out of but at its ends, with the same flow inside and the
 * same handlers, and no other statement was found there. Where it stands does not matter.
 */
#include "payload/diff/body.h"

#include <limits.h>

#include "payload/base/freestanding.h"
#include "payload/python/code.h"
#include "payload/python/compare.h"
#include "payload/python/node.h"
#include "payload/python/tree.h"

/* The steps from `first` up to `end`. */
struct part {
	const struct stream *stream;
	int first, end;
};

/* A step's place inside the part; all that is outside is one. */
static int place(const struct part *p, int at, int outside)
{
	if (at == FLOW_NONE)
		return at;
	return at >= p->first && at < p->end ? at - p->first : outside;
}

static int is_same_step(const struct part *a, const struct part *b, int at)
{
	const struct step *s = &a->stream->steps[a->first + at];
	const struct step *t = &b->stream->steps[b->first + at];

	return s->token == t->token &&
	       place(a, s->next, FLOW_END) == place(b, t->next, FLOW_END) &&
	       place(a, s->target, FLOW_END) == place(b, t->target, FLOW_END) &&
	       place(a, s->handler, FLOW_NONE) == place(b, t->handler, FLOW_NONE);
}

static int is_same_part(const struct body *b, const struct group *group, int at)
{
	const struct part new = {&b->new, group->first, group->end};
	const struct part old = {&b->old, at, at + group->end - group->first};

	for (int i = 0; at + i < old.end; i++)
		if (b->is_used[at + i] || !is_same_step(&new, &old, i))
			return 0;
	return 1;
}

static int is_found_at(const struct body *b, const struct group *group, int at)
{
	int end = at + group->end - group->first;

	return end <= b->old.count && b->old.is_cut[at] && b->old.is_cut[end] &&
	       is_same_part(b, group, at);
}

/* Behind the statement found before, else anywhere. -1: nowhere. */
static int find(const struct body *b, const struct group *group, int after)
{
	for (int at = after; at < b->old.count; at++)
		if (is_found_at(b, group, at))
			return at;
	for (int at = 0; at < after && at < b->old.count; at++)
		if (is_found_at(b, group, at))
			return at;
	return -1;
}

/* Of a statement `x: T = value`, or `x = value`, that was not found: does the old body bind x
 * to the same value? */
static int is_value_same(const struct body *b, const struct group *group, PyObject *node)
{
	struct group value = *group;

	if (group->node_count > 1 || !tree_is(node, "AnnAssign Assign"))
		return 0;
	for (value.end = group->first; value.end < group->end; value.end++)
		if (b->new.steps[value.end].is_store)
			break;
	if (value.end++ == group->end || value.end - value.first < 2)
		return 0;
	for (int i = value.end; i < group->end; i++) /* x = y = value */
		if (b->new.steps[i].is_store)
			return 0;
	for (int at = 0; at + value.end - value.first <= b->old.count; at++)
		if (b->old.is_cut[at] && is_same_part(b, &value, at))
			return 1;
	return 0;
}

static void match(struct body *b)
{
	int after = 0;

	for (int i = 0; i < b->group_count; i++) {
		struct group *group = &b->groups[i];
		int length = group->end - group->first;
		int at = length && !group->is_changed ? find(b, group, after) : -1;
		group->pair = group->old_first = at;
		if (at < 0) {
			group->is_changed |= length > 0;
			group->is_retyped =
				is_value_same(b, group,
					      PyList_GetItem(b->nodes, group->first_node)) != 0;
			continue;
		}
		memset(b->is_used + at, 1, (size_t)length);
		after = at + length;
	}
}

/* --- groups ------------------------------------------------------------------------------ */

static void add_groups(struct body *b)
{
	int end = 0;

	for (int i = 0; i < (int)PyList_Size(b->nodes); i++) {
		PyObject *node = PyList_GetItem(b->nodes, i);
		int line = node_first_line(node);
		struct group *last = b->group_count ? &b->groups[b->group_count - 1] : NULL;
		if (last && (line <= last->line || line <= end)) {
			last->node_count++;
		} else {
			if (last)
				last->line_end = line;
			b->groups[b->group_count++] = (struct group){
				.first_node = i,
				.node_count = 1,
				.line = line,
				.line_end = INT_MAX,
			};
		}
		end = node_number(node, "end_lineno", line);
	}
}

/* Steps whose line lies in the group must be neighbours; if not, nothing is known about it. */
static void place_group(const struct stream *s, struct group *group)
{
	group->first = group->end = 0;
	for (int i = 0; i < s->count; i++) {
		if (s->steps[i].line < group->line || s->steps[i].line >= group->line_end)
			continue;
		if (group->end == group->first)
			group->first = i;
		else if (group->end != i)
			group->is_changed = 1;
		group->end = i + 1;
	}
}

/* The last group's lines have no end, but a class body ends with steps of the class's own. They
 * have its first line. */
static int init(struct body *b, PyObject *old_code, PyObject *new_code)
{
	size_t count = (size_t)PyList_Size(b->nodes) + 1;

	if (stream_init(&b->new, b->tokens, new_code) ||
	    (old_code && stream_init(&b->old, b->tokens, old_code)))
		return -1;
	b->groups = py_room(count * sizeof(*b->groups));
	b->is_used = py_room((size_t)b->old.count + 1);
	if (!b->groups || !b->is_used)
		return -1;
	add_groups(b);
	for (int i = 0; i < b->group_count; i++)
		place_group(&b->new, &b->groups[i]);
	match(b);
	return 0;
}

int body_init(struct body *out, struct tokens *tokens, PyObject *old_code, PyObject *new_code,
	      PyObject *nodes)
{
	*out = (struct body){.tokens = tokens, .nodes = nodes};
	return init(out, old_code, new_code);
}

void body_fini(struct body *b)
{
	stream_fini(&b->old);
	stream_fini(&b->new);
	PyMem_Free(b->groups);
	PyMem_Free(b->is_used);
	*b = (struct body){0};
}

/* --- definitions ------------------------------------------------------------------------- */

/* The code of the definition that the step loads, or NULL; borrowed. Type parameters are made
 * by a function around it (Python/compile.c of 3.12, compiler_type_params). */
static PyObject *loaded_code(const struct step *step, PyObject *name)
{
	if (!world_is_code(step->value))
		return NULL;
	_cleanup_py_ PyObject *own = code_name(step->value);
	if (!own || !PyUnicode_Compare(own, name))
		return own ? step->value : NULL;
	_cleanup_py_ PyObject *generic =
		PyUnicode_FromFormat("<generic parameters of %U>", name);
	if (!compare_texts(own, generic))
		return NULL;
	_cleanup_py_ PyObject *inside = code_find(step->value, name);
	return inside; /* which the step's value keeps */
}

static int find_store(const struct stream *s, int from, PyObject *name)
{
	return stream_find_store(s, from, s->count, name) + 1;
}

/* The decorators stand before the code and the defaults, not before the first line. */
static int first_step(const struct stream *s, int at, PyObject *code, int low)
{
	long first_line = code_number(code, "co_firstlineno");

	while (at > low && s->steps[at - 1].line >= first_line)
		at--;
	return at;
}

int body_find_new(struct definition *out, const struct body *b, const struct group *group,
		  PyObject *name)
{
	for (int i = group->first; i < group->end; i++) {
		PyObject *code = loaded_code(&b->new.steps[i], name);
		if (code) {
			*out = (struct definition){first_step(&b->new, i, code, group->first),
						   i, find_store(&b->new, i, name), code};
			return out->end <= b->new.count;
		}
	}
	return 0;
}

void body_forget(const struct body *b, const struct group *group)
{
	if (group->old_first >= 0)
		memset(b->is_used + group->old_first, 0, (size_t)(group->end - group->first));
}

void body_let_go(struct body *b, struct group *group)
{
	body_forget(b, group);
	group->old_first = -1;
	group->is_changed = 1;
}

/* `finally` is compiled once for each way into it (3.9; Python/compile.c,
 * compiler_try_finally).
 */
static int is_copy(const struct stream *s, int at)
{
	int i = 0;

	while (s->steps[i].token != s->steps[at].token || s->steps[i].line != s->steps[at].line)
		i++;
	return i < at;
}

int body_find_old(struct definition *out, const struct body *b, PyObject *name, int end)
{
	int i = end - 1;
	PyObject *code = NULL;

	while (i >= 0 && (b->is_used[i] || !(code = loaded_code(&b->old.steps[i], name)) ||
			  is_copy(&b->old, i)))
		i--;
	if (i < 0)
		return 0;
	int low = i;
	while (low > 0 && !b->is_used[low - 1])
		low--;
	*out = (struct definition){first_step(&b->old, i, code, low), i,
				   find_store(&b->old, i, name), code};
	return out->end <= b->old.count;
}

int body_count_calls(const struct stream *s, const struct definition *d, int token, int count)
{
	int found = 0;

	while (found < count && d->end - 2 - found > d->code &&
	       s->steps[d->end - 2 - found].token == token)
		found++;
	return found;
}

int body_count_stores(const struct stream *s, PyObject *name)
{
	/* A class may have keys that are no names. */
	int count = 0, end = world_is_str(name) ? s->count : 0;

	for (int i = 0; i < end; i++)
		count += stream_binds(&s->steps[i], name) && !is_copy(s, i);
	return count;
}

/* --- one name, several statements -------------------------------------------------------- */

int body_binds(const struct body *b, const struct group *group, PyObject *name)
{
	return stream_find_store(&b->new, group->first, group->end, name) < group->end;
}

static int reads(const struct body *b, const struct group *group, PyObject *name)
{
	for (int i = group->first; i < group->end; i++)
		if (b->new.steps[i].is_use && !PyUnicode_Compare(b->new.steps[i].value, name))
			return 1;
	return 0;
}

/* Whether a block gets to a statement is not known. */
static int is_simple(PyObject *node)
{
	return node_is_definition(node) || tree_is(node, "Assign AnnAssign Import ImportFrom");
}

static int follows(const struct body *b, int at)
{
	const struct group *group = &b->groups[at];
	PyObject *node = PyList_GetItem(b->nodes, group->first_node);
	int is_last = is_simple(node);
	int may_build =
		tree_is(node, "AugAssign") || (is_last && !tree_is(node, "Import ImportFrom"));

	for (int i = group->first; i < group->end; i++) {
		PyObject *name = b->new.steps[i].value;
		if (!b->new.steps[i].is_store)
			continue;
		int is_read = may_build && reads(b, group, name);
		for (int k = 0; k < at; k++) {
			const struct group *other = &b->groups[k];
			if (((is_read && other->is_changed) ||
			     (is_last && other->old_first > group->old_first)) &&
			    body_binds(b, other, name))
				return 1;
		}
	}
	return 0;
}

void body_follow(struct body *b)
{
	for (int i = 0; i < b->group_count; i++)
		if (!b->groups[i].is_changed)
			b->groups[i].is_changed = follows(b, i) != 0;
}

int body_note_kept(const struct body *b, PyObject *kept, PyObject *superseded)
{
	_cleanup_py_ PyObject *changed = PySet_New(NULL);

	for (int i = 0; changed && i < b->group_count; i++) {
		const struct group *group = &b->groups[i];
		int simple = is_simple(PyList_GetItem(b->nodes, group->first_node));
		for (int k = group->first; k < group->end; k++) {
			PyObject *name = b->new.steps[k].value;
			if (!b->new.steps[k].is_store)
				continue;
			int is_late = PySet_Contains(changed, name) == 1;
			if (group->is_changed
				    ? PySet_Add(changed, name) ||
					      PySet_Discard(kept, name) < 0 ||
					      PySet_Discard(superseded, name) < 0
				    : (!is_late || simple) &&
					      (PySet_Add(kept, name) ||
					       (is_late && PySet_Add(superseded, name))))
				return -1;
		}
	}
	return changed ? 0 : -1;
}

static int is_bound_above(const struct body *b, int at, PyObject *name)
{
	while (at-- > 0)
		if (body_binds(b, &b->groups[at], name))
			return 1;
	return 0;
}

PyObject *body_late_names(const struct body *b)
{
	_cleanup_py_ PyObject *late = PySet_New(NULL);

	for (int i = 0; late && i < b->group_count; i++)
		for (int k = b->groups[i].first; k < b->groups[i].end; k++) {
			const struct step *step = &b->new.steps[k];
			if (b->groups[i].is_changed &&
			    step->op == b->tokens->world->opcodes.load_name &&
			    body_count_stores(&b->new, step->value) &&
			    !is_bound_above(b, i, step->value) && PySet_Add(late, step->value))
				return NULL;
		}
	return py_take(&late);
}

/* --- moved in or out of a block ---------------------------------------------------------- */

/* What the statement bound is there, and no other one binds that. */
static int is_known_to_have_run(const struct body *b, const struct group *group, PyObject *live)
{
	int count = 0;

	for (int i = group->first; i < group->end; i++) {
		PyObject *name = b->new.steps[i].value;
		if (!b->new.steps[i].is_store)
			continue;
		if (!PyDict_GetItem(live, name) || body_count_stores(&b->old, name) != 1 ||
		    body_count_stores(&b->new, name) != 1)
			return 0;
		count++;
	}
	return count > 0;
}

int body_find_moved(const struct body *b, const struct group *group, PyObject *live)
{
	int length = group->end - group->first;

	if (!length || !is_known_to_have_run(b, group, live))
		return 0;
	for (int at = 0; at + length <= b->old.count; at++)
		if (is_same_part(b, group, at)) {
			memset(b->is_used + at, 1, (size_t)length);
			return 1;
		}
	return 0;
}

/* ----------------------------------------------------------------------------------------- */

int body_is_same(const struct body *b)
{
	int old = b->old.count, new = b->new.count;

	for (int i = 0; i < b->old.count; i++)
		old -= b->is_used[i];
	for (int i = 0; i < b->group_count; i++) {
		if (b->groups[i].is_changed)
			return 0;
		new -= b->groups[i].end - b->groups[i].first;
	}
	return old == new;
}
