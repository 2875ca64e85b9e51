/* SPDX-License-Identifier: MIT
 *
 * Instances of classes that another class replaces. There may be a million: each costs a word
 * in an array, not a write of its own.
 */
#ifndef PAYLOAD_HEAP_INSTANCES_H
#define PAYLOAD_HEAP_INSTANCES_H

#include "payload/base/pointer_map.h"
#include "payload/python/world.h"

/* All references are owned. */
struct instances {
	PyObject *class, *kept;
	PyObject **items;
	size_t count, capacity;
	size_t moved; /* the first so many have the class `kept` */
};

/* What a pass over the heap gathers. */
struct movers {
	const struct pointer_map *stand_in; /* borrowed: class -> the one that replaces it */
	const struct pointer_map *ignore;   /* borrowed: objects that stay */
	struct instances *items;
	size_t count, last; /* last: the one that took the object before */
	int is_failed;      /* for want of memory */
};

/* 1 when `o` is to get another class, and nothing else of it changes; 0; as far as its type
 * tells. */
int movers_want(const struct movers *movers, PyObject *o);

/* Takes it in when it is wanted: 1. */
int movers_take(struct movers *movers, PyObject *o);

void movers_fini(struct movers *movers);

void instances_fini(struct instances *instances);

/* Gives them the class `kept`, or, going back, `class` to those that were moved. -1 with an
 * exception: some may have been. Runs no bytecode, except that of audit hooks. */
int instances_move(const struct world *world, struct instances *instances, int is_back);

#endif
