/* SPDX-License-Identifier: MIT
 *
 * Reading the seccomp filters of a stopped thread. What was installed from here on by another
 * thread for all (SECCOMP_FILTER_FLAG_TSYNC) is not seen.
 */
#include <errno.h>
#include <linux/filter.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>

#include "inject/trace/tracee.h"

/* include/uapi/linux/ptrace.h, Linux 4.4; glibc 2.36's header has it, 2.28's has not. */
#define PTRACE_SECCOMP_GET_FILTER_ 0x420c

static long get_filter(const struct tracee *tracee, size_t index, struct sock_filter *out)
{
	return ptrace((enum __ptrace_request)PTRACE_SECCOMP_GET_FILTER_, tracee->tid,
		      (void *)(uintptr_t)index, out); /* NOLINT */
}

/* Not asked by ptrace, which refuses before it looks. */
static bool has_filters(const struct tracee *tracee)
{
	struct proc_status status;
	struct hp_err ignored;
	char name[48];

	snprintf(name, sizeof(name), "task/%d/status", tracee->tid);
	return proc_status_read(&status, tracee->target->procfd, name, &ignored) < 0 ||
	       status.seccomp_mode != 0;
}

static int add(struct seccomp_filters *filters, const struct tracee *tracee, size_t count,
	       struct hp_err *err)
{
	struct seccomp_filter *items =
		realloc(filters->items, (filters->count + 1) * sizeof(*items));
	struct sock_filter *program = malloc(count * sizeof(*program));

	if (items)
		filters->items = items;
	if (!items || !program || get_filter(tracee, filters->count, program) != (long)count) {
		free(program);
		return hp_err_set(err, HP_SYSTEM, errno, "read a seccomp filter of thread %d",
				  tracee->tid);
	}
	filters->items[filters->count++] = (struct seccomp_filter){program, count};
	return 0;
}

int tracee_filters(struct seccomp_filters *out, struct tracee *tracee, struct hp_err *err)
{
	struct seccomp_filters filters = {0};
	long count;

	/* The kernel bounds the length of all of them together (MAX_INSNS_PER_PATH). */
	while ((count = get_filter(tracee, filters.count, NULL)) > 0) {
		if (add(&filters, tracee, (size_t)count, err) < 0) {
			seccomp_filters_fini(&filters);
			return -1;
		}
	}
	/* EINVAL: no filters. ENOENT: no more. Else it may not be known: no capability, a
	 * kernel without CONFIG_CHECKPOINT_RESTORE (EIO), a filter whose source was not kept
	 * (EMEDIUMTYPE). */
	if (errno != EINVAL && errno != ENOENT && has_filters(tracee)) {
		seccomp_filters_fini(&filters);
		return target_filters_unreadable(tracee->target, err);
	}
	*out = filters;
	return 0;
}
