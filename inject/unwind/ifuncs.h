/* SPDX-License-Identifier: MIT
 *
 * Where memcpy, strlen and their like really are. They are IFUNCs: the dynamic symbol names a
 * resolver, and the implementation that it chose has no name. What it chose stands in the slots
 * that the loader filled in.
 */
#ifndef INJECT_UNWIND_IFUNCS_H
#define INJECT_UNWIND_IFUNCS_H

#include <stddef.h>

#include "inject/base/addr.h"
#include "inject/target/target.h"

/* Addresses inside libc of implementations that IFUNCs of libc resolved to, unordered, perhaps
 * with repetitions; at most capacity. Returns how many. */
size_t ifuncs_find(remote_addr *out, size_t capacity, const struct target *target);

#endif
