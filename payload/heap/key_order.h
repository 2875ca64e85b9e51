/* SPDX-License-Identifier: MIT
 *
 * The order of keys. A key that is deleted and set again goes to the end of its dict, so that
 * undoing a deletion takes more than setting the key.
 */
#ifndef PAYLOAD_HEAP_KEY_ORDER_H
#define PAYLOAD_HEAP_KEY_ORDER_H

#include "payload/python/world.h"

struct key_order {
	PyObject *noted; /* list of (dict, copy of it, class or None), or NULL */
};

void key_order_fini(struct key_order *order);

/* Notes what the dict `owner`, or the namespace of the class `owner`, is like. -1 with an
 * exception. */
int key_order_note(struct key_order *order, const struct world *world, PyObject *owner);

/* When all values are as they were noted, the order is so too. -1: it could not be done. */
int key_order_restore(const struct key_order *order, const struct world *world);

#endif
