/* SPDX-License-Identifier: MIT
 *
 * A stop interrupts the wait of a thread. Some waits (poll, nanosleep, a futex with a timeout)
 * go on through restart_syscall, for which a seccomp filter of the program may kill.
 */
#ifndef INJECT_TRACE_RESTART_H
#define INJECT_TRACE_RESTART_H

#include "inject/trace/tracee.h"

/* Make a thread in TRACEE_EVENT_STOP or TRACEE_SIGNAL_STOP issue such a wait anew, with its
 * whole time, where its filters forbid restart_syscall or cannot be read. Its registers are in
 * tracee->now then; false when they cannot be had: it has been killed. */
bool restart_avoid(struct tracee *tracee);

#endif
