/* SPDX-License-Identifier: MIT
 *
 * See filters.h.
 */
#include "inject/session/filters.h"

#include "inject/base/cleanup.h"
#include "inject/session/session.h"
#include "inject/session/threads.h"

#define STOP_NS 1000000000ll

int filters_check(struct tracee *tracee, struct seccomp_libc *libc, struct hp_err *err)
{
	_cleanup_(seccomp_filters_fini) struct seccomp_filters filters = {0};

	if (tracee_filters(&filters, tracee, err) < 0)
		return -1;
	if (!filters.count)
		return FILTERS_NONE;
	if (!libc->known)
		seccomp_learn_libc(libc, tracee->target);
	return seccomp_judge(tracee->target, &filters, libc, err) < 0 ? -1 : FILTERS_PASS;
}

/* The first thread that can be stopped stands for all: filters are mostly installed before the
 * threads are made. */
int session_check_filters(const struct target *target, struct hp_err *err)
{
	_cleanup_free_ struct thread *threads = NULL;
	struct seccomp_libc libc;
	size_t count;

	if (!target->status.seccomp_mode)
		return 0;
	seccomp_learn_libc(&libc, target);
	if (threads_ranked(&threads, &count, target, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct hp_err released;
		struct tracee tracee;
		int r = tracee_stop(&tracee, target, threads[i].tid, deadline_after_ns(STOP_NS),
				    err);

		if (r == TRACEE_VANISHED)
			continue;
		if (r < 0)
			return -1;
		r = filters_check(&tracee, &libc, err) < 0 ? -1 : 0;
		if (tracee_release(&tracee, &released) < 0) {
			*err = released;
			return -1;
		}
		return r;
	}
	return hp_err_obstacle(err, OBSTACLE_GONE, 0, "process %d has gone", target->pid);
}
