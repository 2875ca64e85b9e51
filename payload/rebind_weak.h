/* SPDX-License-Identifier: MIT
 *
 * Weak references.
 */
#ifndef PAYLOAD_REBIND_WEAK_H
#define PAYLOAD_REBIND_WEAK_H

#include "payload/plan.h"

/* Weak references to the objects in the list `keys`, for which others stand, are replaced
 * likewise, and appended to it. -1 with an exception. */
int rebind_weak(struct plan *plan, PyObject *keys);

#endif
