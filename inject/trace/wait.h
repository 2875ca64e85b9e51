/* SPDX-License-Identifier: MIT
 *
 * Waiting for one thread's next ptrace stop, with a deadline, and saying which kind it is.
 */
#ifndef INJECT_TRACE_WAIT_H
#define INJECT_TRACE_WAIT_H

#include "inject/trace/tracee.h"

/* Wait and set tracee->state (and signal). Returns TRACEE_OK, TRACEE_VANISHED when the thread
 * has ended (state TRACEE_GONE), or -1 with HP_TIMEOUT or HP_SYSTEM. A wait that the stop
 * interrupted goes on by a call that the thread's seccomp filters allow. */
HP_MUST_CHECK int tracee_wait(struct tracee *tracee, struct deadline deadline,
			      struct hp_err *err);

/* What a wait status means; pure. */
void tracee_state_of_status(struct tracee *tracee, int status);

#endif
