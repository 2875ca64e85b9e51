/* SPDX-License-Identifier: MIT
 *
 * The system calls that an attach makes on the target's threads, and whether the seccomp
 * filters of a thread would let all of them pass. Judged before the first is made, since a
 * filter may kill the whole process for one.
 *
 * The invariant: whatever code of ours executes in the target, its calls are in the table of
 * seccomp.c, with as much of their arguments as is known beforehand.
 */
#ifndef INJECT_TARGET_SECCOMP_H
#define INJECT_TARGET_SECCOMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inject/base/err.h"
#include "inject/target/target.h"

struct sock_filter;

struct seccomp_filter {
	struct sock_filter *program; /* owned */
	size_t count;
};

struct seccomp_filters {
	struct seccomp_filter *items; /* owned; all of them are asked for each call */
	size_t count;
};
void seccomp_filters_fini(struct seccomp_filters *filters);

/* Which of its calls the process's libc makes at all. */
struct seccomp_libc {
	bool known; /* seccomp_learn_libc() was called */
	bool clone3, rseq;
};
void seccomp_learn_libc(struct seccomp_libc *libc, const struct target *target);

/* Whether all of our calls pass: 0, or -1 with OBSTACLE_SECCOMP and the name of the first that
 * does not. */
HP_MUST_CHECK int seccomp_judge(const struct target *target,
				const struct seccomp_filters *filters,
				const struct seccomp_libc *libc, struct hp_err *err);

/* Whether an interrupted wait could be resumed by restart_syscall. When not, its thread must be
 * made to issue the wait anew, or the filter strikes as soon as the thread is let go. */
bool seccomp_lets_restart(const struct seccomp_filters *filters);

#endif
