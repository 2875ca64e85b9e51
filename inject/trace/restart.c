/* SPDX-License-Identifier: MIT
 *
 * See restart.h. Nothing here fails: a thread whose registers cannot be had has been killed.
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

void restart_avoid(struct tracee *tracee)
{
	struct arch_regs regs;

	if (ptrace(PTRACE_GETREGS, tracee->tid, NULL, &regs.gp) == 0 &&
	    arch_reissue_wait(&regs) && !may_restart(tracee))
		(void)ptrace(PTRACE_SETREGS, tracee->tid, NULL, &regs.gp);
}
