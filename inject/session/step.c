/* SPDX-License-Identifier: MIT
 *
 * See step.h.
 */
#include "inject/session/step.h"

#include <errno.h>

/* Far more than a loaded machine's scheduling, far less than a person's patience. */
#define STEP_NS 500000000ll

struct deadline step_deadline(struct deadline whole)
{
	struct deadline step = deadline_after_ns(STEP_NS);

	return step.at_ns < whole.at_ns ? step : whole;
}

int step_failed(const struct step *step, const char *what, int error, struct hp_err *err)
{
	const struct limit {
		int error;
		const char *option, *noun;
	} limits[] = {
		{EMFILE, "nofile", "open files"},
		{ENOMEM, "as", "address space, or of what is left of it"},
		{EAGAIN, "nproc", "threads of its user, or of its control group"},
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		if (limits[i].error != error)
			continue;
		hp_err_obstacle(err, OBSTACLE_LIMIT, error, "%s in the target", what);
		return hp_err_hint(err,
				   "it is at its limit of %s; raise that: prlimit --pid "
				   "%d --%s=NUMBER",
				   limits[i].noun, step->target->pid, limits[i].option);
	}
	return hp_err_set(err, HP_SYSTEM, error, "%s in the target", what);
}

/* The call could not be made: no errno of the target's, nor of ours. */
static int not_made(const char *what, struct hp_err *err)
{
	err->sys_errno = 0;
	return hp_err_wrap(err, "%s in the target", what);
}

int step_syscall_begin(const struct step *step, const char *what, long nr,
		       const uint64_t args[6], struct hp_err *err)
{
	return tracee_syscall_begin(step->tracee, nr, args, err) < 0 ? not_made(what, err) : 0;
}

int step_syscall_enter(const struct step *step, const char *what, struct hp_err *err)
{
	if (tracee_syscall_enter(step->tracee, step_deadline(step->deadline), err) < 0)
		return not_made(what, err);
	return 0;
}

int step_syscall_end(const struct step *step, int64_t *result, const char *what,
		     struct hp_err *err)
{
	if (tracee_syscall_end(result, step->tracee, step_deadline(step->deadline), err) < 0)
		return not_made(what, err);
	if (*result < 0 && *result >= -4095)
		return step_failed(step, what, (int)-*result, err);
	return 0;
}

int step_syscall(const struct step *step, int64_t *result, const char *what, long nr,
		 const uint64_t args[6], struct hp_err *err)
{
	if (step_syscall_begin(step, what, nr, args, err) < 0 ||
	    step_syscall_enter(step, what, err) < 0)
		return -1;
	return step_syscall_end(step, result, what, err);
}
