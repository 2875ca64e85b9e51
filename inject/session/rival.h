/* SPDX-License-Identifier: MIT
 *
 * Another pyhotpatch that holds a thread of the same process. It does so for milliseconds, so
 * that it is worth waiting for; afterwards the workers take turns (payload/command/turn.c).
 */
#ifndef INJECT_SESSION_RIVAL_H
#define INJECT_SESSION_RIVAL_H

#include <stdbool.h>
#include <sys/types.h>

/* Of a thread that was found to be traced: whether a pyhotpatch has it, or it is free again. */
bool rival_has(pid_t pid, pid_t tid);

#endif
