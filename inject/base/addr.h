/* SPDX-License-Identifier: MIT
 *
 * An address in the target. A struct, so that passing one for a local pointer, or casting it to
 * one, does not compile.
 */
#ifndef INJECT_BASE_ADDR_H
#define INJECT_BASE_ADDR_H

#include <stdbool.h>
#include <stdint.h>

typedef struct remote_addr {
	uint64_t v;
} remote_addr;

static inline remote_addr addr_of(uint64_t v)
{
	return (remote_addr){v};
}

static inline remote_addr addr_add(remote_addr a, uint64_t n)
{
	return (remote_addr){a.v + n};
}

static inline bool addr_is_null(remote_addr a)
{
	return a.v == 0;
}

/* Whether a lies in [start, end). */
static inline bool addr_in(remote_addr a, remote_addr start, remote_addr end)
{
	return a.v >= start.v && a.v < end.v;
}

#endif
