/* SPDX-License-Identifier: MIT
 *
 * See restart.h.
 */
#include "inject/trace/restart.h"

#include <sys/ptrace.h>

#include "inject/base/cleanup.h"

static bool may_restart(struct tracee *tracee)
{
	_cleanup_(seccomp_filters_fini) struct seccomp_filters filters = {0};
	struct hp_err ignored;

	return tracee_filters(&filters, tracee, &ignored) == 0 &&
	       seccomp_lets_restart(&filters);
}

bool restart_avoid(struct tracee *tracee)
{
	struct arch_regs anew;

	if (ptrace(PTRACE_GETREGS, tracee->tid, NULL, &tracee->now.gp) < 0)
		return false;
	anew = tracee->now;
	if (arch_reissue_wait(&anew) && !may_restart(tracee) &&
	    ptrace(PTRACE_SETREGS, tracee->tid, NULL, &anew.gp) == 0)
		tracee->now = anew;
	return true;
}
