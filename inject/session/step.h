/* SPDX-License-Identifier: MIT
 *
 * One system call on the held thread, made for the target's own good: what it returned is the
 * target's, errno included.
 */
#ifndef INJECT_SESSION_STEP_H
#define INJECT_SESSION_STEP_H

#include <stdint.h>

#include "inject/base/deadline.h"
#include "inject/base/err.h"
#include "inject/trace/tracee.h"

struct step {
	struct tracee *tracee; /* hijacked */
	const struct target *target;
	struct deadline deadline; /* of the whole attach */
};

/* How long one step may take before the thread is taken back. */
struct deadline step_deadline(struct deadline whole);

/* What the target could not do, for want of what its limits allow perhaps: with the remedy
 * then. Returns -1. */
int step_failed(const struct step *step, const char *what, int error, struct hp_err *err);

/* err->sys_errno is set when the call itself failed, and 0 when it could not be made. In three
 * parts when there is something to do while the thread is on its way into the kernel and out of
 * it again, which takes longer than most calls. */
HP_MUST_CHECK int step_syscall(const struct step *step, int64_t *result, const char *what,
			       long nr, const uint64_t args[6], struct hp_err *err);
HP_MUST_CHECK int step_syscall_begin(const struct step *step, const char *what, long nr,
				     const uint64_t args[6], struct hp_err *err);
HP_MUST_CHECK int step_syscall_enter(const struct step *step, const char *what,
				     struct hp_err *err);
HP_MUST_CHECK int step_syscall_end(const struct step *step, int64_t *result, const char *what,
				   struct hp_err *err);

#endif
