/* SPDX-License-Identifier: MIT
 *
 * Laying a new block beside the old one: of all with that head the one with which it has most
 * in common, unless another new block has more.
 *
 * What is not inside a statement of the block (its test, its context manager, what it catches)
 * must all be found, in order, and control must go the same way between all that is found. A
 * statement inside that is found did not change.
 */
#include <limits.h>

#include "payload/base/freestanding.h"
#include "payload/diff/block.h"

#define OUTSIDE INT_MAX /* flow to another statement */

/* --- laying beside each other ------------------------------------------------------------ */

/* Does a step from `from` on lead to the one at `at`, behind it? */
static int is_led_to(const struct step *steps, int from, int at)
{
	for (int i = at - 1; i >= from; i--)
		if (steps[i].next == at || steps[i].target == at || steps[i].handler == at)
			return 1;
	return 0;
}

int block_unit_end(const struct block *b, int from)
{
	const struct opcodes *opcodes = &b->s->tokens.world->opcodes;
	const struct step *steps = b->new.stream->steps;
	int at = from + 1;

	for (; at < b->new.end && b->owner[at] == b->owner[from]; at++)
		if (steps[at].next == FLOW_NONE || steps[at].op == opcodes->pop_except ||
		    steps[at].op == opcodes->pop_block || !is_led_to(steps, from, at))
			break;
	return at;
}

static int is_found_at(const struct block *b, int from, int end, int at)
{
	if (at + end - from > b->old.end)
		return 0;
	for (int i = from; i < end; i++, at++)
		if (b->s->body.is_used[at] ||
		    b->new.stream->steps[i].token != b->old.stream->steps[at].token)
			return 0;
	return 1;
}

/* Where the statement is found from `at` on; the end of the old block: nowhere. */
static int find(const struct block *b, int from, int end, int at)
{
	while (at < b->old.end && !is_found_at(b, from, end, at))
		at++;
	return at;
}

/* Is a later statement of the block found among the old steps from `at` up to `end`? */
static int comes_before(const struct block *b, int from, int at, int end)
{
	for (; from < b->new.end; from = block_unit_end(b, from))
		for (int q = at; q < end; q++)
			if (is_found_at(b, from, block_unit_end(b, from), q))
				return 1;
	return 0;
}

/* Where the last that was found ends in the old order, from `at` on; or BLOCK_NOT_FOUND. */
static int align(struct block *b, int at)
{
	for (int from = b->new.first, end; from < b->new.end; from = end) {
		end = block_unit_end(b, from);
		int q = find(b, from, end, at), is_head = !b->owner[from];
		if (q == b->old.end && is_head)
			return BLOCK_NOT_FOUND;
		if (q == b->old.end || (!is_head && comes_before(b, end, at, q)))
			continue; /* new, or from behind the block */
		for (at = q; from < end; from++, at++) {
			b->new.other[from] = at;
			b->old.other[at] = from;
		}
	}
	return at;
}

/* --- flow -------------------------------------------------------------------------------- */

static int is_inside(const struct block_side *side, int at)
{
	return at >= side->first && at < side->end;
}

/* Where control gets to among what was found in both; out of a loop that was not, by its end.
 */
static int follow(const struct block_side *side, int at)
{
	const struct step *steps = side->stream->steps;

	for (int hops = 0; at >= 0; hops++) {
		if (!is_inside(side, at))
			return FLOW_END;
		if (hops > side->stream->count)
			return OUTSIDE;
		if (side->other[at] >= 0)
			return at;
		int next = steps[at].next;
		int is_back = next <= at && is_inside(side, next) && side->other[next] < 0;
		at = is_back ? steps[next].target : next;
	}
	return at;
}

static int is_same_place(const struct block *b, int new, int old)
{
	new = follow(&b->new, new);
	old = follow(&b->old, old);
	return new >= 0 && new != OUTSIDE ? b->new.other[new] == old : new == old;
}

/* A branch that came or went (`else`) makes the block another. */
static int is_same_branch(const struct block *b, int new, int old)
{
	return is_inside(&b->new, new) == is_inside(&b->old, old) && is_same_place(b, new, old);
}

/* Nothing branches away from what was not found in the other. */
static int is_straight(const struct block_side *side)
{
	for (int i = side->first; i < side->end; i++) {
		const struct step *step = &side->stream->steps[i];
		if (side->other[i] < 0 && step->target != FLOW_NONE &&
		    follow(side, step->target) != follow(side, step->next))
			return 0;
	}
	return 1;
}

static int is_same_flow(const struct block *b)
{
	for (int i = b->new.first; i < b->new.end; i++) {
		const struct step *new = &b->new.stream->steps[i], *old;
		if (b->new.other[i] < 0)
			continue;
		old = &b->old.stream->steps[b->new.other[i]];
		if (!is_same_place(b, new->next, old->next) ||
		    !is_same_branch(b, new->target, old->target) ||
		    !is_same_place(b, new->handler, old->handler))
			return 0;
	}
	return is_straight(&b->new) && is_straight(&b->old);
}

/* --- an old block ------------------------------------------------------------------------ */

static void clear_side(const struct block_side *side)
{
	for (int i = 0; i <= side->stream->count; i++)
		side->other[i] = BLOCK_NOT_FOUND;
}

static int next_cut(const struct stream *s, int at)
{
	do
		at++;
	while (!s->is_cut[at]);
	return at;
}

/* May statements of it go on behind its head? `if True:` leaves none; `finally` up to 3.8. */
static int is_open(const struct block *b)
{
	int last = b->new.first;

	for (int i = last; i < b->new.end; i++)
		last = b->owner[i] ? last : i;
	return next_cut(b->new.stream, last) < b->new.end;
}

/* Is all of the head found in an old block that begins at `at`? This ends at the next cut
 * behind it; when the new one is open, anywhere. */
static int find_extent(struct block *b, int at)
{
	const struct stream *old = b->old.stream;
	const int first = b->new.first, open = is_open(b), headed = !b->owner[first];

	b->old.first = at;
	b->old.end = open || headed ? old->count : next_cut(old, at);
	for (int from = first, end; from < b->new.end; from = end) {
		end = block_unit_end(b, from);
		if (b->owner[from])
			continue;
		at = find(b, from, end, at);
		if (at == b->old.end || (from == first && at != b->old.first))
			return 0;
		at += end - from;
	}
	if (headed && !open)
		b->old.end = next_cut(old, at - 1);
	return 1;
}

/* What was found elsewhere already may stand in the middle of the old block. */
static int is_like(struct block *b, int at)
{
	if (!find_extent(b, at))
		return 0;
	clear_side(&b->old);
	clear_side(&b->new);
	int end = align(b, at);
	if (end <= at)
		return 0;
	b->old.end = next_cut(b->old.stream, end - 1);
	return is_same_flow(b);
}

static int may_begin(const struct stream *s, int at)
{
	return s->is_cut[at] && (!at || s->steps[at].line != s->steps[at - 1].line);
}

int block_match(struct block *b)
{
	return b->group->pair >= 0 && is_like(b, b->group->pair);
}

/* --- which old block ---------------------------------------------------------------------- */

/* How much of what is inside is in both, or bound in both. */
static int count_common(const struct block *b)
{
	const struct step *steps = b->new.stream->steps;
	int count = 1;

	for (int i = b->new.first; i < b->new.end; i++)
		count += b->owner[i] &&
			 (b->new.other[i] >= 0 ||
			  (steps[i].is_store &&
			   stream_find_store(b->old.stream, b->old.first, b->old.end,
					     steps[i].value) < b->old.end));
	return count;
}

/* To an old block, by where it ends. */
struct claim {
	struct group *group;
	int common;
};

/* With which old block has it most in common, and more than who has claimed that? Returns who
 * loses it, or NULL. */
static struct group *claim(struct selection *s, struct group *group, struct claim *claims)
{
	const struct stream *old = &s->body.old;
	struct claim best = {group, 0}, *found = NULL;
	struct block b;

	group->pair = -1;
	int status = block_init(&b, s, group, PyList_GetItem(s->body.nodes, group->first_node));
	int count = status >= 0 && b.is_told_apart ? old->count : 0;
	int is_anywhere = count && b.owner[b.new.first] && is_open(&b);
	for (int at = 0; at < count; at++) {
		int common = may_begin(old, at) && is_like(&b, at) ? count_common(&b) : 0;
		struct claim *one = &claims[b.old.end];
		if (common > one->common &&
		    (common > best.common || (common == best.common && one == found))) {
			best.common = common;
			found = one;
			group->pair = at;
			if (is_anywhere)
				break;
		}
	}
	block_fini(&b);
	struct group *loser = found ? found->group : NULL;
	if (found)
		*found = best;
	return loser;
}

int block_pair_all(struct selection *s)
{
	struct body *body = &s->body;
	struct claim *claims = py_room(((size_t)body->old.count + 1) * sizeof(*claims));

	if (!claims)
		return -1;
	for (int i = 0; i < body->group_count; i++) {
		struct group *group = &body->groups[i];
		if (group->is_changed && group->node_count == 1 &&
		    block_is(PyList_GetItem(body->nodes, group->first_node)))
			while (group)
				group = claim(s, group, claims);
	}
	PyMem_Free(claims);
	return PyErr_Occurred() ? -1 : 0;
}
