/* SPDX-License-Identifier: MIT
 *
 * See room.h. The invariant: in doubt about a stack that is known, no.
 */
#include "inject/trace/room.h"

#include <string.h>

/* Between a stack that grows and the mapping below (mm/mmap.c, stack_guard_gap: 256 pages). */
#define GUARD_GAP (256u * 4096u)

/* How far down the stack of the main thread may grow (mm/mmap.c, acct_stack_growth() and
 * expand_downwards(), Linux 6.1). */
static uint64_t growth_end(const struct maps *maps, const struct map *stack, uint64_t limit)
{
	const uint64_t below = stack > maps->items ? stack[-1].end.v + GUARD_GAP : 0;
	const uint64_t by_limit = limit < stack->end.v ? stack->end.v - limit : 0;

	return below > by_limit ? below : by_limit;
}

bool room_is_enough(const struct maps *maps, remote_addr sp, remote_addr lowest, uint64_t limit)
{
	const struct map *stack = maps_find(maps, sp);

	if (!stack || !(stack->prot & MAP_WRITE))
		return true;
	if (lowest.v >= stack->start.v)
		return true;
	return strcmp(stack->path, "[stack]") == 0 &&
	       lowest.v >= growth_end(maps, stack, limit);
}
