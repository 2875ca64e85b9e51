/* SPDX-License-Identifier: MIT
 *
 * Opening and reading /proc. The invariant: after procfs_open() nothing is looked up by pid
 * again.
 */
#include "inject/proc/procfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inject/base/cleanup.h"
#include "inject/proc/scan.h"

/* A maps text of a process at the limit of 65530 mappings has about 8 MiB. */
#define FILE_MAX ((size_t)256 << 20)

const char *procfs_root(void)
{
	const char *root = secure_getenv("HP_PROC_ROOT");

	return root ? root : "/proc";
}

static void cleanup_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* With hidepid another user's processes are not in /proc at all, but kill() still knows them.
 */
static int no_process(pid_t pid, struct hp_err *err)
{
	if (!strcmp(procfs_root(), "/proc") && kill(pid, 0) < 0 && errno == EPERM) {
		hp_err_set(err, HP_PERMISSION, 0, "process %d is hidden from you (hidepid)",
			   pid);
		return hp_err_hint(err, "sudo pyhotpatch attach %d", pid);
	}
	return hp_err_obstacle(err, OBSTACLE_GONE, 0, "there is no process %d", pid);
}

int procfs_open(int *procfd_out, pid_t pid, struct hp_err *err)
{
	char path[PATH_MAX];
	int fd;

	if (pid <= 0)
		return hp_err_obstacle(err, OBSTACLE_GONE, 0, "%d is not a process id", pid);
	snprintf(path, sizeof(path), "%s/%d", procfs_root(), pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return no_process(pid, err);
	if (fd < 0)
		return hp_err_set(err, HP_SYSTEM, errno, "open %s", path);
	*procfd_out = fd;
	return 0;
}

static int read_failed(const char *name, int why, struct hp_err *err)
{
	/* ENOENT: the process ended between two steps, or the kernel has no such file. */
	if (why == ESRCH || why == ENOENT)
		return hp_err_obstacle(err, OBSTACLE_GONE, 0, "the process has gone (%s)",
				       name);
	if (why == EACCES || why == EPERM)
		return hp_err_set(err, HP_PERMISSION, why, "read %s", name);
	return hp_err_set(err, HP_SYSTEM, why, "read %s", name);
}

/* Append what one read() gives to a text that is grown when it is nearly full. */
struct growing_text {
	char *text; /* owned */
	size_t len, capacity;
};

static void growing_text_fini(struct growing_text *t)
{
	free(t->text);
}

static bool grow(struct growing_text *t)
{
	size_t capacity = t->capacity ? t->capacity * 2 : 16384;
	char *bigger = capacity > FILE_MAX ? NULL : realloc(t->text, capacity);

	if (!bigger)
		return false;
	t->text = bigger;
	t->capacity = capacity;
	return true;
}

int procfs_read(char **text_out, size_t *len_out, int dirfd, const char *name,
		struct hp_err *err)
{
	_cleanup_fd_ int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	_cleanup_(growing_text_fini) struct growing_text t = {0};
	ssize_t got = fd < 0 ? -1 : 1;

	while (got > 0) {
		if (t.capacity - t.len < 4096 && !grow(&t))
			return hp_err_set(err, HP_SYSTEM, 0, "%s is too large", name);
		do {
			got = read(fd, t.text + t.len, t.capacity - t.len - 1);
		} while (got < 0 && errno == EINTR);
		t.len += got > 0 ? (size_t)got : 0;
	}
	if (got < 0)
		return read_failed(name, errno, err);
	t.text[t.len] = '\0';
	*text_out = take_ptr(&t.text);
	*len_out = t.len;
	return 0;
}

bool proc_pid_of_name(const char *name, pid_t *pid_out)
{
	struct scan scan = scan_of(name, strlen(name));
	uint64_t value;

	if (!scan_number(&scan, 10, &value) || scan.at != scan.end || !value ||
	    value > INT32_MAX)
		return false;
	*pid_out = (pid_t)value;
	return true;
}

int proc_list_pids(pid_t **pids_out, size_t *count_out, int dirfd, const char *name,
		   struct hp_err *err)
{
	_cleanup_fd_ int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ pid_t *pids = NULL;
	size_t count = 0, capacity = 0;

	if (fd < 0)
		return read_failed(name, errno, err);
	_cleanup_(cleanup_dir) DIR *dir = fdopendir(fd);
	if (!dir)
		return hp_err_set(err, HP_SYSTEM, errno, "list %s", name);
	(void)take_fd(&fd);

	for (const struct dirent *entry; (entry = readdir(dir));) {
		pid_t pid;

		if (!proc_pid_of_name(entry->d_name, &pid))
			continue;
		if (count == capacity) {
			capacity = capacity ? capacity * 2 : 64;
			pid_t *bigger = realloc(pids, capacity * sizeof(*pids));
			if (!bigger)
				return hp_err_set(err, HP_SYSTEM, 0, "no memory for %s", name);
			pids = bigger;
		}
		pids[count++] = pid;
	}
	*pids_out = take_ptr(&pids);
	*count_out = count;
	return 0;
}

int proc_list_all(pid_t **pids_out, size_t *count_out, struct hp_err *err)
{
	_cleanup_fd_ int root = open(procfs_root(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return hp_err_set(err, HP_SYSTEM, 0, "cannot read %s", procfs_root());
	return proc_list_pids(pids_out, count_out, root, ".", err);
}

int proc_threads(pid_t **tids_out, size_t *count_out, int procfd, struct hp_err *err)
{
	pid_t *tids;
	size_t count;

	if (proc_list_pids(&tids, &count, procfd, "task", err) < 0)
		return -1;
	if (!count) {
		free(tids);
		return hp_err_obstacle(err, OBSTACLE_GONE, 0, "the process has gone (task)");
	}
	*tids_out = tids;
	*count_out = count;
	return 0;
}
