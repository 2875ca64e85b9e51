/* SPDX-License-Identifier: MIT
 *
 * Whether a thread is inside a restartable sequence (rseq(2)).
 */
#include <sys/ptrace.h>

#include "inject/trace/tracee.h"

#define PTRACE_GET_RSEQ_CONFIGURATION_                                                         \
	0x420f /* Linux 5.13; glibc 2.36 names it, 2.28 does not */
struct rseq_configuration {
	uint64_t rseq_abi_pointer;
	uint32_t rseq_abi_size, signature, flags, pad;
};

uint64_t tracee_rseq_cs(const struct tracee *tracee)
{
	struct rseq_configuration config;
	struct hp_err ignored;
	uint64_t rseq_cs;

	/* A sequence makes no system call (kernel/rseq.c, rseq_syscall()). */
	if (arch_syscall(&tracee->regs, NULL) >= 0)
		return 0;
	if (ptrace((enum __ptrace_request)PTRACE_GET_RSEQ_CONFIGURATION_, tracee->tid,
		   sizeof(config), &config) != sizeof(config) ||
	    !config.rseq_abi_pointer)
		return 0;
	/* struct rseq: cpu_id_start, cpu_id, then rseq_cs (include/uapi/linux/rseq.h) */
	if (target_read(tracee->target, addr_of(config.rseq_abi_pointer + 8), &rseq_cs,
			sizeof(rseq_cs), &ignored) < 0)
		return 0;
	return rseq_cs;
}
