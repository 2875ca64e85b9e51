/* SPDX-License-Identifier: MIT
 *
 * Containers that find what they hold by its hash. Each -1 with an exception.
 */
#ifndef PAYLOAD_REBIND_REBIND_HASHED_H
#define PAYLOAD_REBIND_REBIND_HASHED_H

#include "payload/plan/plan.h"

/* 1 when it takes more than other values below keys that hash and compare in C, 0 when that
 * is enough, -1 when nothing is to be done. */
int rebind_judge_dict(const struct plan *plan, PyObject *dict);

/* The dict, the set gets its whole content anew. */
int rebind_content(struct plan *plan, PyObject *dict);
int rebind_set(struct plan *plan, PyObject *set);

/* Another frozenset stands for this one, which is appended to the list `more`. */
int rebind_frozenset(struct plan *plan, PyObject *more, PyObject *frozen);

/* A tuple that will have another hash: whoever has it as a key is to be found. */
int rebind_is_key_tuple(const struct plan *plan, PyObject *o);

#endif
