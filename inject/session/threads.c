/* SPDX-License-Identifier: MIT
 *
 * Ranking from /proc/PID/task/TID/syscall: "running", "-1 SP PC" or "NR ARGS... SP PC"
 * (Documentation/filesystems/proc.rst). Nothing is stopped, so all of it may be stale a moment
 * later: the rank is a guess that saves retries, never a judgement.
 */
#include "inject/session/threads.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "inject/base/cleanup.h"
#include "inject/proc/procfs.h"

static bool restarts_exactly(long nr)
{
	static const long calls[] = {
		SYS_futex,    SYS_poll,      SYS_ppoll,           SYS_select,
		SYS_pselect6, SYS_nanosleep, SYS_clock_nanosleep, SYS_read,
		SYS_readv,    SYS_accept,    SYS_accept4,         SYS_wait4,
		SYS_waitid,   SYS_pause,     SYS_rt_sigsuspend,   SYS_flock,
		SYS_write,    SYS_writev,    SYS_connect,
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		if (calls[i] == nr)
			return true;
	return false;
}

enum thread_rank thread_rank_of(const char *line)
{
	char *end;
	long nr;

	if (strncmp(line, "running", 7) == 0)
		return RANK_RUNNING;
	nr = strtol(line, &end, 10);
	if (end == line || nr < 0)
		return RANK_OTHER;
	if (restarts_exactly(nr))
		return RANK_PARKED;
	/* fs/eventpoll.c and do_sigtimedwait() return EINTR after any stop; sockets with a
	 * timeout do too (net/core/sock.c, sock_intr_errno). */
	switch (nr) {
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2:
	case SYS_rt_sigtimedwait:
	case SYS_recvfrom:
	case SYS_recvmsg:
	case SYS_sendto:
	case SYS_sendmsg:
		return RANK_INTERRUPTED;
	default:
		return RANK_OTHER;
	}
}

void thread_place_of(struct safepoint_stop *out, const char *line)
{
	enum { ARGS = 6, FIELDS = 1 + ARGS + 2 };
	uint64_t fields[FIELDS];
	size_t count = 0;

	while (*line && count < FIELDS) {
		char *end;

		fields[count] = strtoull(line, &end, 0); /* -1 is of any width */
		if (end == line)
			break;
		count++;
		line = end;
	}
	if (count != FIELDS && count != 3)
		return;
	*out = (struct safepoint_stop){.syscall_nr = (long)fields[0],
				       .sp = addr_of(fields[count - 2]),
				       .pc = addr_of(fields[count - 1])};
	if (count == FIELDS)
		memcpy(out->syscall_args, fields + 1, sizeof(out->syscall_args));
}

/* Owned; NULL when the thread has ended. */
static char *read_line(const struct target *target, pid_t tid)
{
	struct hp_err ignored;
	char name[48], *line;
	size_t len;

	snprintf(name, sizeof(name), "task/%d/syscall", tid);
	return procfs_read(&line, &len, target->procfd, name, &ignored) < 0 ? NULL : line;
}

bool thread_place_read(struct safepoint_stop *out, const struct target *target, pid_t tid)
{
	_cleanup_free_ char *line = read_line(target, tid);

	*out = (struct safepoint_stop){.syscall_nr = -1};
	if (line)
		thread_place_of(out, line);
	return !addr_is_null(out->sp);
}

static int by_rank(const void *a, const void *b)
{
	const struct thread *x = a, *y = b;

	if (x->rank != y->rank)
		return (int)x->rank - (int)y->rank;
	return (x->tid > y->tid) - (x->tid < y->tid);
}

int threads_ranked(struct thread **out, size_t *count_out, const struct target *target,
		   struct hp_err *err)
{
	_cleanup_free_ pid_t *tids = NULL;
	struct thread *threads;
	size_t count;

	if (proc_threads(&tids, &count, target->procfd, err) < 0)
		return -1;
	threads = calloc(count, sizeof(*threads));
	if (!threads)
		return hp_err_set(err, HP_SYSTEM, ENOMEM, "list the threads");
	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *line = read_line(target, tids[i]);

		threads[i] = (struct thread){.tid = tids[i], .rank = RANK_OTHER};
		if (!line)
			continue;
		threads[i].rank = thread_rank_of(line);
		thread_place_of(&threads[i].place, line);
	}
	qsort(threads, count, sizeof(*threads), by_rank);
	*out = threads;
	*count_out = count;
	return 0;
}
