/* SPDX-License-Identifier: MIT
 *
 * Laying a new block beside the old one.
 *
 * What is not inside a statement of the block (its test, its context manager, what it catches)
 * must all be found, in order, and control must go the same way between all that is found. A
 * statement inside that is found did not change.
 */
#include <limits.h>

#include "payload/block.h"
#include "payload/freestanding.h"

#define OUTSIDE INT_MAX /* flow to another statement */

/* --- laying beside each other ------------------------------------------------------------ */

static int unit_end(const struct block *b, int from, int count)
{
	const int *order = b->new.order;
	int at = from;

	while (at < count && b->owner[order[at]] == b->owner[order[from]] &&
	       (at == from || order[at] == order[at - 1] + 1))
		at++;
	return at;
}

static int is_found_at(const struct block *b, int from, int end, int at)
{
	if (at + end - from > b->old.count)
		return 0;
	for (int i = from; i < end; i++)
		if (b->new.stream->steps[b->new.order[i]].token !=
		    b->old.stream->steps[b->old.order[at + i - from]].token)
			return 0;
	return 1;
}

/* The steps `from` up to `count` of the new order, in the old one from `at` on. Where the last
 * that was found ends there, or BLOCK_NOT_FOUND. */
static int align(struct block *b, int from, int count, int at)
{
	int start = at;

	for (int end; from < count; from = end) {
		end = unit_end(b, from, count);
		int q = at, is_head = !b->owner[b->new.order[from]];
		while (q < b->old.count && !is_found_at(b, from, end, q))
			q++;
		if (is_head && (q == b->old.count || (!from && q != start)))
			return BLOCK_NOT_FOUND;
		if (q == b->old.count)
			continue;
		for (int i = from; i < end; i++) {
			b->new.other[b->new.order[i]] = b->old.order[q + i - from];
			b->old.other[b->old.order[q + i - from]] = b->new.order[i];
		}
		at = q + end - from;
	}
	return at;
}

/* --- flow -------------------------------------------------------------------------------- */

/* Where control gets to among what was found in both. */
static int follow(const struct block_side *side, int at)
{
	for (int hops = 0; at >= 0; hops++) {
		if (at == side->end && at < side->stream->hot)
			return FLOW_END;
		if (!side->is_inside[at] || hops > side->stream->count)
			return OUTSIDE;
		if (side->other[at] >= 0)
			return at;
		at = side->stream->steps[at].next;
	}
	return at;
}

static int is_same_place(const struct block *b, int new, int old)
{
	new = follow(&b->new, new);
	old = follow(&b->old, old);
	return new >= 0 && new != OUTSIDE ? b->new.other[new] == old : new == old;
}

static int leaves(const struct block_side *side, int at)
{
	return at < 0 || (at == side->end && at < side->stream->hot) || !side->is_inside[at];
}

/* A branch that came or went (`else`) makes the block another. */
static int is_same_branch(const struct block *b, int new, int old)
{
	return leaves(&b->new, new) == leaves(&b->old, old) && is_same_place(b, new, old);
}

/* Nothing branches away from what was not found in the other. */
static int is_straight(const struct block_side *side)
{
	for (int i = 0; i < side->count; i++) {
		const struct step *step = &side->stream->steps[side->order[i]];
		if (side->other[side->order[i]] < 0 && step->target != FLOW_NONE &&
		    follow(side, step->target) != follow(side, step->next))
			return 0;
	}
	return 1;
}

static int is_same_flow(const struct block *b)
{
	for (int i = 0; i < b->new.count; i++) {
		int at = b->new.order[i];
		const struct step *new = &b->new.stream->steps[at], *old;
		if (b->new.other[at] < 0)
			continue;
		old = &b->old.stream->steps[b->new.other[at]];
		if (!is_same_place(b, new->next, old->next) ||
		    !is_same_branch(b, new->target, old->target) ||
		    !is_same_place(b, new->handler, old->handler))
			return 0;
	}
	return is_straight(&b->new) && is_straight(&b->old);
}

/* --- finding the old block --------------------------------------------------------------- */

static void add_step(struct block_side *side, int at)
{
	side->order[side->count++] = at;
	side->is_inside[at] = 1;
}

static void add_cold(struct block_side *side, int line, int line_end)
{
	for (int i = side->stream->hot; i < side->stream->count; i++)
		if (side->stream->steps[i].line >= line &&
		    side->stream->steps[i].line < line_end)
			add_step(side, i);
}

static void clear_side(struct block_side *side)
{
	side->count = 0;
	memset(side->is_inside, 0, (size_t)side->stream->count + 1);
	for (int i = 0; i <= side->stream->count; i++)
		side->other[i] = BLOCK_NOT_FOUND;
}

/* The lines of the old block end where the next statement's start. */
static void add_old_cold(struct block_side *old)
{
	const struct stream *s = old->stream;
	int line = INT_MAX, line_end = INT_MAX;

	for (int i = old->first; i < old->end; i++)
		line = s->steps[i].line < line ? s->steps[i].line : line;
	for (int i = old->end; i < s->hot; i++)
		if (s->steps[i].line > line && s->steps[i].line < line_end)
			line_end = s->steps[i].line;
	add_cold(old, line, line_end);
}

/* Since 3.12 what ends in `finally` is there once more behind an exception. */
static int is_copied(const struct stream *s, int at)
{
	for (int i = s->hot; i < s->count; i++)
		if (s->steps[i].line == s->steps[at].line &&
		    s->steps[i].token == s->steps[at].token)
			return 1;
	return 0;
}

static int is_like(struct block *b, int at)
{
	const struct body *body = &b->s->body;
	int hot = b->new.end - b->new.first;

	clear_side(&b->old);
	clear_side(&b->new);
	for (int i = b->new.first; i < b->new.end; i++)
		add_step(&b->new, i);
	for (int i = at; i < body->old.hot && !body->is_used[i]; i++)
		add_step(&b->old, i);
	int end = align(b, 0, hot, 0);
	if (end <= 0)
		return 0;
	while (end < b->old.count &&
	       (!body->old.is_cut[at + end] || is_copied(&body->old, at + end)))
		end++;
	if (!body->old.is_cut[at + end])
		return 0;
	for (int i = end; i < b->old.count; i++)
		b->old.is_inside[at + i] = 0;
	b->old.count = end;
	b->old.first = at;
	b->old.end = at + end;
	add_cold(&b->new, b->group->line, b->group->line_end);
	add_old_cold(&b->old);
	return align(b, hot, b->new.count, end) != BLOCK_NOT_FOUND && is_same_flow(b);
}

int block_match(struct block *b)
{
	const struct body *body = &b->s->body;

	for (int at = 0; at < body->old.hot; at++)
		if (!body->is_used[at] && body->old.is_cut[at] && is_like(b, at))
			return 1;
	return 0;
}
