/* SPDX-License-Identifier: MIT
 *
 * What the files of this folder share: single requests to the kernel about a tracee.
 */
#ifndef INJECT_TRACE_PARTS_H
#define INJECT_TRACE_PARTS_H

#include <signal.h>
#include <sys/ptrace.h>

#include "inject/trace/tracee.h"

/* All but what a fault in our own code would raise: a blocked SIGSEGV kills at once, while an
 * unblocked one is shown to us first. Bit n-1 is signal n. */
#define TRACEE_BIT(signal) (1ull << ((signal)-1))
#define TRACEE_BLOCKED_MASK                                                                    \
	(~(TRACEE_BIT(SIGSEGV) | TRACEE_BIT(SIGBUS) | TRACEE_BIT(SIGFPE) |                     \
	   TRACEE_BIT(SIGILL) | TRACEE_BIT(SIGTRAP) | TRACEE_BIT(SIGSYS)))

/* Fills *err from errno, and the state when the thread has gone. Returns -1. */
int tracee_ptrace_failed(struct tracee *tracee, struct hp_err *err, const char *what);

HP_MUST_CHECK int tracee_regs_get(struct tracee *tracee, struct arch_regs *regs,
				  struct hp_err *err);

/* Onto the stack of the stopped thread. */
HP_MUST_CHECK bool tracee_write(const struct tracee *tracee, remote_addr at, struct span bytes);

/* On the hijacked thread: begin with these registers, signals blocked; it still stands. */
HP_MUST_CHECK int tracee_enter(struct tracee *tracee, const struct arch_regs *regs,
			       struct hp_err *err);

#endif
