/* SPDX-License-Identifier: MIT
 *
 * Objects that the collector does not list, though they refer to others.
 */
#ifndef PAYLOAD_HEAP_UNTRACKED_H
#define PAYLOAD_HEAP_UNTRACKED_H

#include "payload/python/world.h"

/* Has the program called gc.freeze()? */
int untracked_is_frozen(const struct world *world);

/* What is not listed, as a new list, which is empty when nobody asked and no version hides
 * anything by itself. NULL with an exception. */
PyObject *untracked_find(const struct world *world, int is_asked);

/* Appends to the list `found` what of `hidden` (a list) refers to one of `keys` (a list), or is
 * an instance of it. -1 with an exception. */
int untracked_referrers(const struct world *world, PyObject *hidden, PyObject *keys,
			PyObject *found);

#endif
