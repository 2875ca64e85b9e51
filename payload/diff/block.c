/* SPDX-License-Identifier: MIT
 *
 * Which steps of a block are of which statement inside, told by their lines.
 */
#include "payload/diff/block.h"

#include "payload/base/freestanding.h"
#include "payload/python/node.h"
#include "payload/python/tree.h"

static int see_line(PyObject *node, void *context)
{
	int *last = context, line = node_number(node, "lineno", 0);

	*last = line > *last ? line : *last;
	return 0;
}

/* 3.7 does not say where a statement ends; its last step is where the last node begins. */
static int last_line(const struct block *b, PyObject *node)
{
	int line = node_number(node, "end_lineno", 0);

	if (!line)
		tree_any(&b->s->job->world, node, see_line, &line);
	return line;
}

struct block_lines block_lines_of(const struct block *b, PyObject *node)
{
	return (struct block_lines){node_first_line(node), last_line(b, node)};
}

int block_has(const struct block *b, const struct block_lines *lines, int at)
{
	return b->owner[at] >= lines->first && b->owner[at] <= lines->last;
}

int block_is(PyObject *node)
{
	return tree_is(node, "If With Try");
}

int block_lists(const struct block *b, PyObject *node, block_visitor visit)
{
	_cleanup_py_ PyObject *handlers = node_field(node, "handlers");

	if (visit(b, node, "body"))
		return -1;
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(handlers, i)); i++)
		if (visit(b, item, "body"))
			return -1;
	return visit(b, node, "orelse") || visit(b, node, "finalbody") ? -1 : 0;
}

/* --- owners ------------------------------------------------------------------------------ */

/* Where control goes from the last of the steps before the body: the handler of the innermost
 * context manager. */
static int handler_of(const struct block *b, const struct block_lines *lines, int owner)
{
	const struct step *steps = b->new.stream->steps;
	int at = b->new.first, handler = 0;

	while (at < b->new.end && (b->owner[at] != owner || steps[at].line < lines->first))
		at++;
	for (; at < b->new.end && b->owner[at] == owner; at++)
		if (steps[at].target > at)
			handler = steps[at].target;
	return handler;
}

/* Up to 3.9 the way out of `with` has the line of its last statement (Python/compile.c,
 * compiler_with): six steps before the handler, two up to 3.8, and all behind them. */
static void disown_exit(const struct block *b, PyObject *node, int owner)
{
	const struct block_lines lines = block_lines_of(b, node);
	int before = b->s->tokens.world->opcodes.minor == 9 ? 6 : 2;
	int handler = handler_of(b, &lines, owner);

	for (int i = handler - before; handler > before && i < b->new.end; i++)
		if (b->new.stream->steps[i].line >= lines.first &&
		    b->new.stream->steps[i].line <= lines.last)
			b->owner[i] = owner;
}

static int own_list(const struct block *b, PyObject *parent, const char *field);

/* `owner` is what its head is of. */
static int own_block(const struct block *b, PyObject *node, int owner)
{
	if (!block_is(node))
		return 0;
	int status = block_lists(b, node, own_list);
	if (tree_is(node, "With") && b->s->tokens.world->opcodes.minor <= 9)
		disown_exit(b, node, owner);
	return status;
}

/* -1 without exception when a statement shares its line with another's or the block's head, and
 * when one unbinds names: what others work on is not there any more. */
static int own_list(const struct block *b, PyObject *parent, const char *field)
{
	_cleanup_py_ PyObject *list = node_field(parent, field);
	int above = node_number(parent, "lineno", 0);
	PyObject *node;

	for (Py_ssize_t i = 0; (node = py_item(list, i)); i++) {
		int line = node_first_line(node), end = last_line(b, node);
		if (line <= above || tree_is(node, "Delete"))
			return -1;
		for (int k = 0; k < b->new.stream->count; k++)
			if (b->new.stream->steps[k].line >= line &&
			    b->new.stream->steps[k].line <= end)
				b->owner[k] = line;
		if (own_block(b, node, line))
			return -1;
		above = end;
	}
	return 0;
}

/* ----------------------------------------------------------------------------------------- */

static int side_init(struct block_side *side, const struct stream *stream)
{
	side->stream = stream;
	side->other = py_room(((size_t)stream->count + 1) * sizeof(int));
	return side->other ? 0 : -1;
}

static int allocate(struct block *b)
{
	size_t size = ((size_t)b->s->body.new.count + 1) * sizeof(int);

	if (side_init(&b->new, &b->s->body.new) || side_init(&b->old, &b->s->body.old))
		return -1;
	b->new.first = b->group->first;
	b->new.end = b->group->end;
	b->owner = py_room(size);
	return b->owner ? 0 : -1;
}

int block_init(struct block *out, struct selection *s, const struct group *group,
	       PyObject *node)
{
	*out = (struct block){.s = s, .group = group, .node = node};
	if (allocate(out))
		return -1;
	out->is_told_apart = !own_block(out, node, 0);
	return out->is_told_apart && block_match(out);
}

void block_fini(struct block *b)
{
	PyMem_Free(b->old.other);
	PyMem_Free(b->new.other);
	PyMem_Free(b->owner);
}
