/* SPDX-License-Identifier: MIT
 *
 * Places in the collector's rings that are kept while the program runs: an empty list of ours
 * is linked in front of what is there, and whatever becomes of that, the place is what lies
 * behind the list.
 *
 * That holds as long as the collector leaves a ring in its order: what dies is taken out, and
 * what survives in a younger ring comes last in the next (gc_list_merge() of
 * Modules/gcmodule.c, Python/gc.c since 3.13). But a collection of the ring itself puts what it
 * first took for garbage behind all else (visit_reachable()). It does that to a list of ours
 * that comes first in the ring, for only another, which lies behind it, refers to it; and
 * gc.freeze() and gc.unfreeze() leave it first nowhere.
 */
#ifndef PAYLOAD_HEAP_PLACES_H
#define PAYLOAD_HEAP_PLACES_H

#include "payload/heap/ring.h"

#define PLACES_MAX 19

struct places {
	PyObject *markers;           /* owned: a list of so many empty lists */
	struct link *at[PLACES_MAX]; /* the lists; by places_restore() what was behind them */
};

/* -1 with an exception. */
int places_init(struct places *out);

/* One is in front of `at`. */
void places_keep(struct places *places, size_t i, struct link *at);

/* What is in each of the first places now, in whatever ring. Frees the lists. */
void places_restore(struct places *places, unsigned count);

#endif
