/* SPDX-License-Identifier: MIT
 *
 * Weak references.
 */
#ifndef PAYLOAD_REBIND_REBIND_WEAK_H
#define PAYLOAD_REBIND_REBIND_WEAK_H

#include "payload/plan/plan.h"

/* Weak references to the objects in the list `keys`, for which others stand, are replaced
 * likewise, and appended to it. -1 with an exception. */
int rebind_weak(struct plan *plan, PyObject *keys);

int rebind_is_weakly_held(const struct world *world, PyObject *o);

/* A class lists those below it in a dict of its own, by their address (Objects/typeobject.c,
 * add_subclass): that entry goes when __bases__ is set, or with the class. */
int rebind_is_subclass_entry(const struct world *world, PyObject *key, PyObject *value);

#endif
