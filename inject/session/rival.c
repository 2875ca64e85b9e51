/* SPDX-License-Identifier: MIT
 *
 * See rival.h. Going by the name can be wrong, and then costs the time that was allowed.
 */
#include "inject/session/rival.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "inject/base/cleanup.h"
#include "inject/proc/procfs.h"

#define LOOKS   4 /* at what may be over in a moment */
#define LOOK_NS 1000000

static bool status_of(struct proc_status *out, pid_t pid, const char *name)
{
	_cleanup_fd_ int fd = -1;
	struct hp_err ignored;

	return procfs_open(&fd, pid, &ignored) == 0 &&
	       proc_status_read(out, fd, name, &ignored) == 0;
}

enum trace { TRACED_BY_RIVAL, TRACED_BY_OTHER, TRACED_BY_UNKNOWN };

static enum trace trace_of(pid_t pid, const char *name)
{
	struct proc_status status, tracer;

	if (!status_of(&status, pid, name))
		return TRACED_BY_OTHER;
	/* Either its tracer is in a namespace outside, or it was not traced yet when the kernel
	 * began to write the file. */
	if (!status.tracer)
		return status.state == 't' ? TRACED_BY_UNKNOWN : TRACED_BY_RIVAL;
	if (!status_of(&tracer, status.tracer, "status")) /* or it has ended just now */
		return TRACED_BY_UNKNOWN;
	return strcmp(tracer.name, "pyhotpatch") == 0 ? TRACED_BY_RIVAL : TRACED_BY_OTHER;
}

bool rival_has(pid_t pid, pid_t tid)
{
	const struct timespec pause = {.tv_nsec = LOOK_NS};
	enum trace trace;
	char name[48];

	snprintf(name, sizeof(name), "task/%d/status", tid);
	for (int i = 1; (trace = trace_of(pid, name)) == TRACED_BY_UNKNOWN && i < LOOKS; i++)
		nanosleep(&pause, NULL);
	return trace == TRACED_BY_RIVAL;
}
