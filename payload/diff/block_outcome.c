/* SPDX-License-Identifier: MIT
 *
 * How far a block came when the module ran, told by what is there now: a name that nothing else
 * can have bound to the value that it has, was bound by the statement in question.
 */
#include "payload/base/freestanding.h"
#include "payload/diff/block.h"
#include "payload/python/compare.h"
#include "payload/python/node.h"

static int is_reached_from_elsewhere(const struct stream *s, int at)
{
	for (int i = 0; i < s->count; i++)
		if (s->steps[i].target == at || (i != at - 1 && s->steps[i].next == at))
			return 1;
	return 0;
}

/* The store at `at`: not when it stores a constant that is another one. */
static int may_have_stored(const struct block *b, const struct stream *s, int at,
			   PyObject *value)
{
	const struct world *w = b->s->tokens.world;
	const struct step *before = &s->steps[at - (at > 0)];

	return before->op != w->opcodes.load_const || before->next != at || !before->value ||
	       is_reached_from_elsewhere(s, at) || compare_constants(w, value, before->value);
}

/* Stores elsewhere that may have bound the name to the value. */
static int count_others(const struct block *b, int at, PyObject *value)
{
	const struct stream *new = b->new.stream, *old = b->old.stream;
	PyObject *name = new->steps[at].value;
	int count = 0;

	for (int i = 0; i < new->count; i++)
		count += b->owner[i] != b->owner[at] && b->new.other[i] < 0 &&
			 stream_binds(&new->steps[i], name) &&
			 may_have_stored(b, new, i, value);
	for (int i = 0; i < old->count; i++)
		count += (b->old.other[i] < 0 || b->owner[b->old.other[i]] != b->owner[at]) &&
			 stream_binds(&old->steps[i], name) &&
			 may_have_stored(b, old, i, value);
	return count;
}

/* The code that the statement made a function of before, or NULL. Borrowed. */
static PyObject *old_code_of(const struct block *b, int at)
{
	const struct stream *old = b->old.stream;
	struct definition definition;

	if (b->new.other[at] < 0)
		return body_find_old(&definition, &b->s->body, b->new.stream->steps[at].value,
				     b->s->body.old.count)
			       ? definition.body
			       : NULL;
	for (int i = at; i >= 0 && b->owner[i] == b->owner[at] && b->new.other[i] >= 0; i--) {
		PyObject *value = old->steps[b->new.other[i]].value;
		if (world_is_code(value))
			return value;
	}
	return NULL;
}

static int is_function_of(const struct block *b, int at, PyObject *value)
{
	PyObject *code = old_code_of(b, at);
	_cleanup_py_ PyObject *inner =
		code ? selection_inner(b->s, value, code, b->new.stream->steps[at].value)
		     : NULL;

	return inner != NULL;
}

/* Of a statement that changed the old version is among the others. */
static int has_bound(const struct block *b, int at)
{
	PyObject *name = b->new.stream->steps[at].value;
	PyObject *value = PyDict_GetItem(b->s->module->live, name);

	if (!value || selection_is_rebound(b->s, name, 0))
		return 0;
	if (is_function_of(b, at, value))
		return 1;
	if (b->new.other[at] < 0)
		return count_others(b, at, value) == 1 &&
		       body_count_stores(&b->s->body.new, name) == 1;
	return may_have_stored(b, b->new.stream, at, value) && !count_others(b, at, value);
}

static int is_known_to_have_run(const struct block *b, PyObject *node)
{
	const struct stream *s = b->new.stream;
	const struct block_lines lines = block_lines_of(b, node);

	for (int i = 0; i < s->count; i++)
		if (block_has(b, &lines, i) && s->steps[i].is_store && has_bound(b, i))
			return 1;
	return 0;
}

int block_has_statements(PyObject *node)
{
	_cleanup_py_ PyObject *inside = node_is_definition(node) ? NULL : node_body(node);

	return inside != NULL;
}

int block_progress(const struct block *b, PyObject *parent, const char *field)
{
	_cleanup_py_ PyObject *list = node_field(parent, field);

	for (int i = list ? (int)PyList_Size(list) : 0; i-- > 0;) {
		PyObject *node = PyList_GetItem(list, i);
		if (is_known_to_have_run(b, node))
			return i + !block_has_statements(node); /* that it was begun */
	}
	return BLOCK_NOT_FOUND;
}

int block_is_unreached(const struct block *b, PyObject *node)
{
	const struct stream *new = b->new.stream, *old = b->old.stream;
	const struct block_lines lines = block_lines_of(b, node);

	for (int i = 0; i < new->count; i++) {
		PyObject *name = new->steps[i].value;
		if (!block_has(b, &lines, i) || !new->steps[i].is_store ||
		    PyDict_GetItem(b->s->module->live, name))
			continue;
		if (stream_find_store(old, 0, old->count, name) < old->count)
			return 1;
	}
	return 0;
}
