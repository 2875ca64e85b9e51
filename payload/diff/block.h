/* SPDX-License-Identifier: MIT
 *
 * A block of the module (`if`, `with`, `try`) that changed, laid beside the old one. Loops are
 * no blocks: what one round computes is what the next one works on.
 */
#ifndef PAYLOAD_DIFF_BLOCK_H
#define PAYLOAD_DIFF_BLOCK_H

#include "payload/diff/selection.h"

#define BLOCK_NOT_FOUND (-1)

/* One of the two blocks. */
struct block_side {
	const struct stream *stream;
	int first, end;
	int *other; /* step of the stream -> its like in the other block; owned */
};

struct block {
	struct selection *s;
	const struct group *group;
	PyObject *node; /* borrowed, like all above */
	/* step of the new stream -> first line of the innermost statement in the block that it
	 * is of; 0 for the head of the block itself; owned */
	int *owner;
	struct block_side old, new;
	int is_told_apart; /* each statement inside has lines of its own */
	int is_in_context; /* all of it runs, in a `with` */
};

/* --- block.c --- */

/* 1 when the old block was found and laid beside, else 0, or -1; block_fini is due in any case.
 */
int block_init(struct block *out, struct selection *s, const struct group *group,
	       PyObject *node);
void block_fini(struct block *block);

int block_is(PyObject *node);

/* The lines of a statement, decorators included; does the step belong to it? */
struct block_lines {
	int first, last;
};
struct block_lines block_lines_of(const struct block *block, PyObject *node);
int block_has(const struct block *block, const struct block_lines *lines, int at);

/* All lists of statements of a block, until one visit is not 0. */
typedef int (*block_visitor)(const struct block *block, PyObject *parent, const char *field);
int block_lists(const struct block *block, PyObject *node, block_visitor visit);

/* --- block_match.c --- */

/* Finds the old block and lays the new one beside it. 1 when it could. */
int block_match(struct block *block);

/* Where the steps end of one statement, or of one copy of it (`finally`), but for what ends the
 * guarded part, a handler or `finally`, on the line of their last. */
int block_unit_end(const struct block *block, int from);

/* Of all blocks of the module that changed: with which old block each has most in common. 0,
 * -1.
 */
int block_pair_all(struct selection *s);

/* --- block_outcome.c --- */

/* Are others inside of the statement, but for those of a definition? */
int block_has_statements(PyObject *node);

/* How many statements of the list are known to have run to their end when the module ran: none
 * but the first was begun: 0; nothing is known: BLOCK_NOT_FOUND. */
int block_progress(const struct block *block, PyObject *parent, const char *field);

/* Did the list's first run not get to the statement? */
int block_is_unreached(const struct block *block, PyObject *node);

#endif
