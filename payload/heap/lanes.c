/* SPDX-License-Identifier: MIT
 *
 * A ring tells of one object after the other, and each must be waited for: what that takes is
 * the wait for memory. But of modules we know where they are without it, and they are all over
 * the rings, for what a module defines is linked behind it. Followed from many of them at the
 * same time, the rings take a third of the time.
 *
 * The invariant: what is visited is alive. What a head or a module
 * that somebody holds leads to is; but the collector, which may be at work in another thread,
 * can have the module among its garbage. A module may also be in the ring of gc.freeze(), so in
 * the end the parts must prove to be the rings of the generations, from each head to itself,
 * without a gap.
 */
#include "payload/heap/lanes.h"

#include "payload/base/freestanding.h"
#include "payload/base/sys.h"
#include "payload/heap/places.h"
#include "payload/heap/ring.h"
#include "payload/python/let_run.h"

#define LANES     16
#define ALL       ((1u << GENERATIONS) - 1) /* rings */
#define PARTS_MAX (1 << 14)
#define STEPS     4096 /* between two looks at the clock, which are system calls */
/* At parts, for modules that are linked in another order than that of sys.modules. */
#define LOOKS_MAX (1 << 18)
#define TRIES     3
/* PREV_MASK_COLLECTING: of what the collector holds for garbage while it calls finalizers. */
#define COLLECTING 2

_Static_assert(GENERATIONS + LANES <= PLACES_MAX, "a place for each ring and each lane");

/* What follows a head or a module, up to the next of these. */
struct part {
	struct link *from;
	size_t next; /* its number and 1; 0: not known yet */
};

struct lane {
	struct link *at;
	size_t part;
};

/* 270 KiB, of which the kernel gives what is written to. */
struct survey {
	struct world *world;
	const struct lanes_search *search;
	struct generation *young;
	size_t parts, left, looks;
	size_t lanes;
	struct lane lane[LANES];
	struct part part[PARTS_MAX]; /* those of the heads come first */
};

static void list_parts(struct survey *s)
{
	PyObject *name, *o;
	Py_ssize_t at = 0;

	for (; s->parts < GENERATIONS; s->parts++)
		s->part[s->parts].from = &s->young[s->parts].head;
	while (s->parts < PARTS_MAX && PyDict_Next(s->search->modules, &at, &name, &o))
		if (py_is(o, s->world->module) && link_of(o)->next &&
		    !(link_of(o)->before & COLLECTING))
			s->part[s->parts++].from = link_of(o);
}

/* The part that begins there, most likely near this one; as many as there are parts: none does.
 */
static size_t find_part(struct survey *s, const struct link *from, size_t likely)
{
	for (size_t i = 0; i <= s->parts; i++, s->looks++) {
		const size_t after = likely + i, before = likely - i;
		if (after < s->parts && s->part[after].from == from)
			return after;
		if (before < s->parts && s->part[before].from == from)
			return before;
	}
	return s->parts;
}

/* Where the lane's next part begins; NULL: there is none left. The heads come first, for the
 * younger rings do not stay as they are, then what was linked last: behind it lies what the
 * program has made since its imports. */
static struct link *begin_part(struct survey *s, struct lane *lane)
{
	if (!s->left)
		return NULL;
	lane->part = (--s->left + GENERATIONS) % s->parts;
	return s->part[lane->part].from;
}

static int is_head(const struct survey *s, const struct link *at)
{
	return (uintptr_t)at - (uintptr_t)s->young < GENERATIONS * sizeof(*s->young);
}

/* To the object behind, which is fetched until it is the lane's turn. */
static void advance(struct lane *lane, const struct link *at)
{
	lane->at = at->next;
	__builtin_prefetch(lane->at);
	__builtin_prefetch(lane->at + 2);
}

/* 0: the lane has come to its end. */
static int step(struct survey *s, struct lane *lane)
{
	struct link *at = lane->at;
	PyObject *type = py_type_inlined(object_of(at));

	if (type == s->world->function)
		s->search->visit(object_of(at), s->search->context);
	else if (type == s->world->module || is_head(s, at)) {
		size_t next = find_part(s, at, lane->part + 1);
		if (next < s->parts) {
			s->part[lane->part].next = next + 1;
			at = begin_part(s, lane);
		}
	}
	if (at)
		advance(lane, at);
	return at != NULL;
}

static void begin(struct survey *s)
{
	struct link *at;

	list_parts(s);
	s->left = s->parts;
	for (; s->lanes < LANES && (at = begin_part(s, &s->lane[s->lanes])); s->lanes++)
		advance(&s->lane[s->lanes], at);
}

/* A bit for each ring that was followed as a whole. */
static unsigned closed_rings(const struct survey *s)
{
	unsigned all = 0;

	for (size_t i = 0; i < GENERATIONS; i++) {
		size_t at = i, n = 0;
		while (s->part[at].next && n++ < s->parts) {
			at = s->part[at].next - 1;
			if (at < GENERATIONS) {
				if (at == i)
					all |= 1u << i;
				break;
			}
		}
	}
	return all;
}

/* 0: what is left of a ring is in another order now. */
static int let_run_in_between(struct survey *s)
{
	struct places places;
	unsigned in_order = closed_rings(s);

	if (places_init(&places))
		return 1;
	for (size_t i = 0; i < GENERATIONS + s->lanes; i++)
		places_keep(&places, i,
			    i < GENERATIONS ? s->young[i].head.next
					    : s->lane[i - GENERATIONS].at);
	let_run(s->world);
	for (size_t i = 0; i < GENERATIONS; i++)
		if (link_before(places.at[i]) == &s->young[i].head)
			in_order |= 1u << i;
	places_restore(&places, GENERATIONS + (unsigned)s->lanes);
	for (size_t i = 0; i < s->lanes; i++)
		s->lane[i].at = places.at[GENERATIONS + i];
	return in_order == ALL;
}

static void follow_for_a_while(struct survey *s)
{
	for (unsigned steps = 0; s->lanes && steps < STEPS; steps += (unsigned)s->lanes) {
		for (size_t i = 0; i < s->lanes; i++)
			if (!step(s, &s->lane[i]))
				s->lane[i] = s->lane[--s->lanes];
	}
}

/* 1 when all was visited; 0 when nobody knows; -1: to be done anew. */
static int follow(struct survey *s, int tries)
{
	begin(s);
	do {
		follow_for_a_while(s);
		if (tries && let_run_is_due(s->world) && !PyErr_Occurred() &&
		    !let_run_in_between(s))
			return -1;
	} while (s->lanes && s->looks < LOOKS_MAX);
	return closed_rings(s) == ALL;
}

/* At last in one stretch: there may be a thread that does nothing but collect. */
int lanes_visit(struct world *w, const struct lanes_search *search)
{
	struct generation *young = rings_find(w);
	int tries = search->may_let_run * TRIES, status;

	while (young && py_type_offset) {
		struct survey *s = sys_mmap_anonymous(sizeof(*s));
		if (!s)
			break;
		s->world = w;
		s->search = search;
		s->young = young;
		status = follow(s, tries--);
		sys_munmap(s, sizeof(*s));
		if (status > 0)
			return 0;
		if (!status)
			break;
	}
	return heap_visit(w, search->visit, search->context);
}
