/* SPDX-License-Identifier: MIT
 *
 * Kinds of containers that the pass over the references cannot write into.
 */
#ifndef PAYLOAD_REBIND_KIND_H
#define PAYLOAD_REBIND_KIND_H

#include "payload/plan.h"

int rebind_is_deque(const struct world *world, PyObject *o);

/* Is something that is replaced among the keys? */
int rebind_has_old_key(const struct plan *plan, PyObject *dict);

/* An OrderedDict keeps a list of its keys, a subclass may think of something else: they get
 * their whole content anew. -1 with an exception. */
int rebind_content(struct plan *plan, PyObject *dict);

/* Another frozenset stands for this one, which is appended to the list `more`. -1 with an
 * exception. */
int rebind_frozenset(struct plan *plan, PyObject *more, PyObject *frozen);

/* Weak references to the objects in the list `keys`, for which others stand, are replaced
 * likewise, and appended to it. */
int rebind_weak(struct plan *plan, PyObject *keys);

#endif
