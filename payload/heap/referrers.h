/* SPDX-License-Identifier: MIT
 *
 * Who refers to some objects: one pass over the heap, however many there are.
 */
#ifndef PAYLOAD_HEAP_REFERRERS_H
#define PAYLOAD_HEAP_REFERRERS_H

#include "payload/base/pointer_map.h"
#include "payload/python/world.h"

/* The objects that the collector knows and that refer to one of `keys` (a list), as a list. Not
 * those that gc.freeze() hides from it (PyUnstable_GC_VisitObjects passes them by, too, on
 * 3.12.1 and 3.13.0, but not on 3.14: seen). NULL with an exception. */
PyObject *referrers_find(const struct world *world, PyObject *keys);

/* How often the objects of the list refer to keys of the map, each that does appended to
 * `found`. -1, maybe with an exception, where no type written in C tells how its objects are
 * traversed (up to 3.9). */
long referrers_among(PyObject *objects, const struct pointer_map *keys, PyObject *found);

/* Whether an instance of a class written in Python refers to one of `keys` by more than being
 * an instance of it. 1 when it cannot be told. */
int referrers_beyond_type(const struct pointer_map *keys, PyObject *o);

#endif
