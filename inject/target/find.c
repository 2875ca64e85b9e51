/* SPDX-License-Identifier: MIT
 *
 * All processes with a Python. Quick rather than deep: names of files decide, no ELF file is
 * read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inject/base/cleanup.h"
#include "inject/target/parts.h"

static bool maps_have_python(int procfd)
{
	_cleanup_free_ char *text = NULL;
	struct hp_err ignored;
	size_t len;

	if (procfs_read(&text, &len, procfd, "maps", &ignored) < 0)
		return false;
	return strstr(text, "/libpython") || strstr(text, "/libpypy");
}

/* Another user's process shows no more than its name and state. */
static bool is_named_python(int procfd)
{
	struct proc_status status;
	struct hp_err ignored;

	return proc_status_read(&status, procfd, "status", &ignored) == 0 &&
	       status.state != 'Z' && python_is_name(status.name);
}

bool target_has_python(pid_t pid)
{
	_cleanup_fd_ int procfd = -1;
	struct hp_err ignored;
	char exe[4096];
	ssize_t len;

	if (procfs_open(&procfd, pid, &ignored) < 0)
		return false;
	len = readlinkat(procfd, "exe", exe, sizeof(exe) - 1);
	if (len < 0) /* a kernel thread or a zombie has none (ENOENT) */
		return errno == EACCES && is_named_python(procfd);
	exe[len] = '\0';
	return python_is_name(exe) || maps_have_python(procfd);
}

static int compare_pids(const void *left, const void *right)
{
	pid_t a = *(const pid_t *)left, b = *(const pid_t *)right;

	return a < b ? -1 : a > b;
}

int target_find_pythons(pid_t **pids_out, size_t *count_out, struct hp_err *err)
{
	_cleanup_free_ pid_t *pids = NULL;
	size_t count = 0, kept = 0;

	if (proc_list_all(&pids, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (pids[i] != getpid() && target_has_python(pids[i]))
			pids[kept++] = pids[i];
	}
	if (kept)
		qsort(pids, kept, sizeof(*pids), compare_pids);
	*pids_out = take_ptr(&pids);
	*count_out = kept;
	return 0;
}

pid_t target_find_contained(pid_t inner_pid)
{
	_cleanup_free_ pid_t *pids = NULL;
	struct hp_err ignored;
	size_t count;
	pid_t found = 0;

	if (proc_list_all(&pids, &count, &ignored) < 0)
		return 0;
	for (size_t i = 0; i < count; i++) {
		if (proc_inner_pid(pids[i]) != inner_pid)
			continue;
		if (found)
			return 0;
		found = pids[i];
	}
	return found;
}
