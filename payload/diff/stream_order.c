/* SPDX-License-Identifier: MIT
 *
 * The order of the steps.
 *
 * Where an instruction stands in the code depends on what is around its statement: since 3.12
 * handlers come last, but not always; 3.10 puts the end of a module in the middle. So a step's
 * place is told by its line as far as lines tell statements apart, and inside a statement by
 * the flow. The invariant: one statement's steps have one order, whatever stands before and
 * behind.
 */
#include "payload/base/freestanding.h"
#include "payload/diff/stream.h"
#include "payload/diff/stream_build.h"

struct order {
	struct stream *stream;
	int *place; /* step -> where it comes to stand */
	int *keys;  /* step -> what it is sorted by */
	int *entry; /* step -> where control goes that crosses the line before it */
};

static void move(const struct order *o, int *at)
{
	if (*at >= 0)
		*at = o->place[*at];
}

/* Puts the steps where they are to stand. */
static int rearrange(const struct order *o)
{
	struct stream *s = o->stream;
	struct step *steps = py_room(((size_t)s->count + 1) * sizeof(*steps));

	if (!steps)
		return -1;
	for (int i = 0; i < s->count; i++) {
		struct step *step = &steps[o->place[i]];
		*step = s->steps[i];
		move(o, &step->next);
		move(o, &step->target);
		move(o, &step->handler);
	}
	PyMem_Free(s->steps);
	s->steps = steps;
	return 0;
}

/* Depth first from the step on; what is left last comes first, from `end` downwards. */
static int place_from(const struct order *o, int at, int end)
{
	int *state = o->keys, *stack = o->entry, depth = 0;

	stack[depth++] = at;
	state[at] = 1;
	while (depth) {
		const struct step *step = &o->stream->steps[stack[depth - 1]];
		int *tried = &state[stack[depth - 1]];
		int to = *tried == 1 ? step->handler : *tried == 2 ? step->target : step->next;
		if (*tried == 4) {
			o->place[stack[--depth]] = --end;
			continue;
		}
		++*tried;
		if (to >= 0 && !state[to]) {
			stack[depth++] = to;
			state[to] = 1;
		}
	}
	return end;
}

/* What goes straight on comes first, then where jumps lead, then handlers, then where all of
 * these meet: so they stand in the source, but not always in the code. Up to 3.9 nothing leads
 * to some steps, as the 3 of `2 if 1 else 3` (Python/peephole.c): they belong to what is before
 * them on their line. */
static int sort_by_flow(const struct order *o)
{
	struct step *steps = o->stream->steps;
	int count = o->stream->count, end = count;

	memset(o->keys, 0, (size_t)count * sizeof(*o->keys));
	for (int i = 0; i < count; i++)
		if (!o->keys[i])
			end = place_from(o, i, end);
	for (int i = 0; i < count; i++)
		steps[i].rank = o->place[i] < o->place[0] && steps[i].line == steps[i - 1].line
					? steps[i - 1].rank
					: o->place[i];
	return rearrange(o);
}

/* Those of one key stay in the order in which they are. */
static int sort_by_key(const struct order *o, int last)
{
	size_t size = ((size_t)last + 2) * sizeof(int);
	int *starts = py_room(size);

	if (!starts)
		return -1;
	for (int i = 0; i < o->stream->count; i++)
		starts[o->keys[i] + 1]++;
	for (int key = 0; key <= last; key++)
		starts[key + 1] += starts[key];
	for (int i = 0; i < o->stream->count; i++)
		o->place[i] = starts[o->keys[i]]++;
	PyMem_Free(starts);
	return rearrange(o);
}

static int sort_by_line(const struct order *o)
{
	const struct stream *s = o->stream;
	int last = 0;

	for (int i = 0; i < s->count; i++)
		last = s->steps[i].line > last ? s->steps[i].line : last;
	for (int i = 0; i < s->count; i++)
		o->keys[i] = s->steps[i].is_own ? last + 1 : s->steps[i].line;
	return sort_by_key(o, last + 1);
}

/* --- cuts -------------------------------------------------------------------------------- */

#define ENTRY_NONE (-1)
#define ENTRY_MANY (-2)

/* Control crosses the lines before the steps from `low` up to `high`, and goes to `entry`. */
static void cross(const struct order *o, int low, int high, int entry)
{
	for (int i = low; i <= high; i++)
		if (o->entry[i] != entry)
			o->entry[i] = o->entry[i] == ENTRY_NONE ? entry : ENTRY_MANY;
}

static void cross_to(const struct order *o, int from, int to)
{
	if (to == FLOW_NONE)
		return;
	to = to == FLOW_END ? o->stream->count : to;
	if (to > from)
		cross(o, from + 1, to, to);
	else
		cross(o, to + 1, from, ENTRY_MANY);
}

/* What has one handler belongs together, and the handler to it. */
static void cross_to_handler(const struct order *o, int at)
{
	const struct step *steps = o->stream->steps;
	int other = steps[at].handler;

	if (other < 0)
		return;
	if (at && steps[at - 1].handler == other)
		other = at - 1;
	cross(o, (at < other ? at : other) + 1, at < other ? other : at, ENTRY_MANY);
}

/* Two statements meet where all control that goes on goes to one place, and none comes back. */
static void find_cuts(const struct order *o)
{
	struct stream *s = o->stream;

	for (int i = 0; i <= s->count; i++)
		o->entry[i] = ENTRY_NONE;
	for (int i = 0; i < s->count; i++) {
		cross_to(o, i, s->steps[i].next);
		cross_to(o, i, s->steps[i].target);
		cross_to_handler(o, i);
	}
	for (int i = 0; i <= s->count; i++)
		s->is_cut[i] = i == 0 || i == s->count || o->entry[i] != ENTRY_MANY;
}

/* Inside a statement lines tell nothing: the flow does. */
static int sort_by_statement(const struct order *o)
{
	const struct stream *s = o->stream;
	const struct step *steps = s->steps;

	find_cuts(o);
	for (int i = 0, k; i < s->count; i++) {
		for (k = i; !s->is_cut[k] && steps[o->keys[k - 1]].rank > steps[i].rank; k--)
			o->keys[k] = o->keys[k - 1];
		o->keys[k] = i;
	}
	for (int i = 0; i < s->count; i++)
		o->place[o->keys[i]] = i;
	return rearrange(o);
}

int stream_put_in_order(struct stream *s)
{
	size_t size = ((size_t)s->count + 1) * sizeof(int);
	const struct order o = {s, py_room(size), py_room(size), py_room(size)};
	int status = -1;

	s->is_cut = py_room(size);
	if (o.place && o.keys && o.entry && s->is_cut)
		status = sort_by_flow(&o) || sort_by_line(&o) || sort_by_statement(&o) ? -1 : 0;
	if (!status)
		find_cuts(&o);
	PyMem_Free(o.place);
	PyMem_Free(o.keys);
	PyMem_Free(o.entry);
	return status;
}
