/* SPDX-License-Identifier: MIT
 *
 * Kinds of containers that the pass over the references cannot write into.
 */
#ifndef PAYLOAD_REBIND_KIND_H
#define PAYLOAD_REBIND_KIND_H

#include "payload/plan.h"

int rebind_is_deque(const struct world *world, PyObject *o);

/* 1 when it takes more than other values below keys that hash and compare in C, 0 when that
 * is enough, -1 when nothing is to be done. */
int rebind_judge_dict(const struct plan *plan, PyObject *dict);

/* The dict, the set gets its whole content anew, which is made here, so that the commit hashes
 * and compares nothing. -1 with an exception. */
int rebind_content(struct plan *plan, PyObject *dict);
int rebind_set(struct plan *plan, PyObject *set);

/* Another frozenset stands for this one, which is appended to the list `more`. -1 with an
 * exception. */
int rebind_frozenset(struct plan *plan, PyObject *more, PyObject *frozen);

/* Weak references to the objects in the list `keys`, for which others stand, are replaced
 * likewise, and appended to it. */
int rebind_weak(struct plan *plan, PyObject *keys);

#endif
