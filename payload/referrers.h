/* SPDX-License-Identifier: MIT
 *
 * Who refers to some objects: one pass over the heap, however many there are.
 */
#ifndef PAYLOAD_REFERRERS_H
#define PAYLOAD_REFERRERS_H

#include "payload/world.h"

/* The objects that the collector knows and that refer to one of `keys` (a list), as a list; on
 * 3.12 also those in its permanent generation. NULL with an exception. */
PyObject *referrers_find(const struct world *world, PyObject *keys);

#endif
