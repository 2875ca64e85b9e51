/* SPDX-License-Identifier: MIT
 *
 * Is there room on a stack for a frame and for what a call needs below it? Pure.
 */
#ifndef INJECT_TRACE_ROOM_H
#define INJECT_TRACE_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#include "inject/base/addr.h"
#include "inject/proc/maps.h"

/* `lowest` is the lowest address that will be touched by a thread whose stack pointer is sp;
 * limit is RLIMIT_STACK, which the stack of the main thread may grow to. True when nothing is
 * known: the stack was mapped after maps was read. */
bool room_is_enough(const struct maps *maps, remote_addr sp, remote_addr lowest,
		    uint64_t limit);

#endif
