/* SPDX-License-Identifier: MIT
 *
 * See rival.h. Going by the name can be wrong, and then costs the time that was allowed.
 */
#include "inject/session/rival.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "inject/base/cleanup.h"
#include "inject/proc/procfs.h"

static bool status_of(struct proc_status *out, pid_t pid, const char *name)
{
	_cleanup_fd_ int fd = -1;
	struct hp_err ignored;

	return procfs_open(&fd, pid, &ignored) == 0 &&
	       proc_status_read(out, fd, name, &ignored) == 0;
}

bool rival_has(pid_t pid, pid_t tid)
{
	struct proc_status status;
	char name[48];

	snprintf(name, sizeof(name), "task/%d/status", tid);
	if (!status_of(&status, pid, name))
		return false;
	if (!status.tracer)
		return status.state != 't'; /* else its tracer is in a namespace outside */
	return status_of(&status, status.tracer, "status") &&
	       strcmp(status.name, "pyhotpatch") == 0;
}
