/* SPDX-License-Identifier: MIT
 *
 * Which thread to ask first: one that is parked in a call that the kernel restarts exactly.
 */
#ifndef INJECT_SESSION_THREADS_H
#define INJECT_SESSION_THREADS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "inject/base/err.h"
#include "inject/target/target.h"
#include "inject/unwind/safepoint.h"

enum thread_rank {
	RANK_PARKED,      /* in a call that is restarted exactly */
	RANK_RUNNING,     /* on a processor, or about to be */
	RANK_OTHER,       /* in some other call, or nothing is known */
	RANK_INTERRUPTED, /* in a call that a stop makes return EINTR */
};

struct thread {
	pid_t tid;
	enum thread_rank rank;
	struct safepoint_stop
		place; /* where it was a moment ago; sp is null when it was running */
};

/* The threads of target, best first; owned, freed with free(). */
HP_MUST_CHECK int threads_ranked(struct thread **out, size_t *count_out,
				 const struct target *target, struct hp_err *err);
/* Where thread `tid` is; false when nothing is known, as of one that runs. */
bool thread_place_read(struct safepoint_stop *out, const struct target *target, pid_t tid);
/* The rank that a line of /proc/PID/task/TID/syscall stands for; pure. */
enum thread_rank thread_rank_of(const char *line);
/* The place that such a line tells of; out is untouched when it tells of none. Pure. */
void thread_place_of(struct safepoint_stop *out, const char *line);

#endif
