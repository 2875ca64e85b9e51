/* SPDX-License-Identifier: MIT
 *
 * Objects that the collector does not list, though they refer to others.
 */
#ifndef PAYLOAD_UNTRACKED_H
#define PAYLOAD_UNTRACKED_H

#include "payload/world.h"

/* Appends to the list `found` what refers to one of `keys` (a list) and is not listed. */
int untracked_referrers(const struct world *world, PyObject *keys, PyObject *found);

/* A new list of those and of what is listed. */
PyObject *untracked_and_listed(const struct world *world);

#endif
