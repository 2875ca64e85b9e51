/* SPDX-License-Identifier: MIT
 *
 * A ring tells of one object after the other, and each must be waited for: what that takes is
 * the wait for memory. But of modules we know where they are without it, and they are all over
 * the rings, for what a module defines is linked behind it. Followed from many of them at the
 * same time, the rings take a third of the time.
 *
 * The invariant: nothing is visited before the parts that were followed have proved to be the
 * rings of the generations, from each head to itself, without a gap. A module may be in another
 * ring: gc.freeze() has one, and a collection that is going on.
 */
#include "payload/heap/lanes.h"

#include "payload/base/freestanding.h"
#include "payload/base/sys.h"
#include "payload/heap/ring.h"

#define LANES     24
#define OLDEST    (GENERATIONS - 1)
#define PARTS_MAX (1 << 14)
#define FOUND_MAX (1 << 18)
/* At parts, for modules that are linked in another order than that of sys.modules. */
#define LOOKS_MAX (1 << 18)

/* What follows a head or a module, up to the next of these. */
struct part {
	struct link *from;
	uint32_t next;
	uint32_t is_on_ring;
};

struct lane {
	struct link *at;
	size_t part;
};

/* 4.3 MiB, of which the kernel gives what is written to. */
struct survey {
	struct generation *young;
	PyObject *type, *module;
	size_t parts, left, found, looks;
	struct lane lane[LANES];
	size_t lanes;
	struct link *back;           /* of the oldest ring, from its end on; NULL: no more */
	struct part part[PARTS_MAX]; /* those of the heads come first */
	struct {
		PyObject *o;
		size_t part;
	} object[FOUND_MAX];
};

static void list_parts(struct survey *s, PyObject *modules)
{
	PyObject *name, *o;
	Py_ssize_t at = 0;

	for (; s->parts < GENERATIONS; s->parts++)
		s->part[s->parts].from = &s->young[s->parts].head;
	while (s->parts < PARTS_MAX && PyDict_Next(modules, &at, &name, &o))
		if (py_is(o, s->module) && link_of(o)->next)
			s->part[s->parts++].from = link_of(o);
}

/* The part that begins there, most likely near this one; as many as there are parts: none does.
 */
static size_t find_part(struct survey *s, const struct link *from, size_t likely)
{
	for (size_t i = 0; i < s->parts; i++, s->looks++) {
		const size_t after = likely + i, before = likely - i;
		if (after < s->parts && s->part[after].from == from)
			return after;
		if (before < s->parts && s->part[before].from == from)
			return before;
	}
	return s->parts;
}

/* Where the lane's next part begins; NULL: there is none left. What was linked last comes
 * first: behind it lies what the program has made since its imports. */
static struct link *begin_part(struct survey *s, struct lane *lane)
{
	if (!s->left)
		return NULL;
	lane->part = --s->left;
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

static PyObject *note(struct survey *s, struct link *at, size_t part)
{
	PyObject *type = py_type_inlined(object_of(at));

	s->object[s->found].o = object_of(at);
	s->object[s->found].part = part;
	s->found += type == s->type; /* as a branch nobody could foretell it */
	return type;
}

/* Behind the last import lies all that the program has made since, as one part: it is followed
 * from its end, too, until the two meet or this one comes to a module. */
static void step_back(struct survey *s)
{
	struct link *at = link_before(s->back);

	if (is_head(s, at) || note(s, at, OLDEST) == s->module)
		at = NULL;
	else
		__builtin_prefetch(link_before(at));
	s->back = at;
}

/* The part that goes on from there; as many as there are parts: this one does. */
static size_t part_behind(struct survey *s, const struct link *at, size_t part)
{
	if (at != s->back && at->next != s->back)
		return find_part(s, at, part + 1);
	s->back = NULL;
	return OLDEST;
}

/* 0: the lane has come to its end. */
static int step(struct survey *s, struct lane *lane)
{
	struct link *at = lane->at;
	PyObject *type = note(s, at, lane->part);

	if (type == s->module || at == s->back || at->next == s->back || is_head(s, at)) {
		size_t next = part_behind(s, at, lane->part);
		if (next < s->parts) {
			s->part[lane->part].next = (uint32_t)next;
			at = begin_part(s, lane);
		}
	}
	if (at)
		advance(lane, at);
	return at != NULL;
}

static int follow(struct survey *s)
{
	struct link *at;

	s->left = s->parts;
	s->back = s->part[OLDEST].from;
	for (; s->lanes < LANES && (at = begin_part(s, &s->lane[s->lanes])); s->lanes++)
		advance(&s->lane[s->lanes], at);
	while (s->lanes && s->looks < LOOKS_MAX && s->found + 2 * LANES < FOUND_MAX) {
		if (s->back)
			step_back(s);
		for (size_t i = 0; i < s->lanes; i++)
			if (!step(s, &s->lane[i]))
				s->lane[i] = s->lane[--s->lanes];
	}
	return s->lanes ? -1 : 0;
}

static int prove_ring(struct survey *s, size_t head)
{
	size_t at = head;

	do {
		s->part[at].is_on_ring = 1;
		at = s->part[at].next;
	} while (!s->part[at].is_on_ring);
	return at == head;
}

/* 1 when all was visited, or enough; 0 when nothing was. */
static int visit_found(struct survey *s, int (*visit)(PyObject *, void *), void *context)
{
	if (follow(s))
		return 0;
	for (size_t i = 0; i < GENERATIONS; i++)
		if (!prove_ring(s, i))
			return 0;
	for (size_t i = 0; i < s->found; i++) {
		/* FOUND_MAX has room for it */
		__builtin_prefetch(s->object[i + 8].o);
		if (s->part[s->object[i].part].is_on_ring && !visit(s->object[i].o, context))
			break;
	}
	return 1;
}

struct filter {
	PyObject *type;
	int (*visit)(PyObject *o, void *context);
	void *context;
};

static int visit_filtered(PyObject *o, void *context)
{
	const struct filter *filter = context;

	return py_type_inlined(o) != filter->type || filter->visit(o, filter->context);
}

int lanes_visit(const struct world *w, PyObject *type, int (*visit)(PyObject *, void *),
		void *context)
{
	struct filter filter = {type, visit, context};
	struct generation *young = rings_find(w);
	struct survey *s = young && py_type_offset ? sys_mmap_anonymous(sizeof(*s)) : NULL;
	int is_done = 0;

	if (s) {
		s->young = young;
		s->type = type;
		s->module = w->module;
		list_parts(s, w->modules);
		is_done = visit_found(s, visit, context);
		sys_munmap(s, sizeof(*s));
	}
	return is_done ? 0 : heap_visit(w, visit_filtered, &filter);
}
