/* SPDX-License-Identifier: MIT
 *
 * See step.h.
 */
#include "inject/session/step.h"

/* Far more than a loaded machine's scheduling, far less than a person's patience. */
#define STEP_NS 500000000ll

struct deadline step_deadline(struct deadline whole)
{
	struct deadline step = deadline_after_ns(STEP_NS);

	return step.at_ns < whole.at_ns ? step : whole;
}

int step_syscall(const struct step *step, int64_t *result, const char *what, long nr,
		 const uint64_t args[6], struct hp_err *err)
{
	if (tracee_syscall(result, step->tracee, nr, args, step_deadline(step->deadline), err) <
	    0) {
		err->sys_errno = 0;
		return hp_err_wrap(err, "%s in the target", what);
	}
	if (*result < 0 && *result >= -4095)
		return hp_err_set(err, HP_SYSTEM, (int)-*result, "%s in the target", what);
	return 0;
}
