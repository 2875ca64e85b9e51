/* SPDX-License-Identifier: MIT
 *
 * The description of a process, step by step. Later steps rely on earlier ones; each failure
 * says what it means for the user.
 */
#include "inject/target/target.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "inject/base/cleanup.h"
#include "inject/target/parts.h"
#include "inject/target/remote_exec.h"

static const struct target target_empty = {.pidfd = -1, .procfd = -1};

/* One line that is safe to print: arguments apart by blanks, control characters by '?'. */
static void read_command(struct target *target)
{
	_cleanup_fd_ int fd = openat(target->procfd, "cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? 0 : read(fd, target->command, sizeof(target->command) - 1);

	if (len < 0)
		len = 0;
	while (len && !target->command[len - 1])
		len--;
	for (ssize_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)target->command[i];

		if (!c)
			target->command[i] = ' ';
		else if (c < 0x20 || c == 0x7f)
			target->command[i] = '?';
	}
	target->command[len] = '\0';
}

static void read_exe(struct target *target)
{
	ssize_t len = readlinkat(target->procfd, "exe", target->exe, sizeof(target->exe) - 1);

	target->exe[len > 0 ? len : 0] = '\0';
}

static size_t read_auxv(const struct target *target, uint8_t *out, size_t capacity)
{
	_cleanup_fd_ int fd = openat(target->procfd, "auxv", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? 0 : read(fd, out, capacity);

	return len > 0 ? (size_t)len : 0;
}

/* A number out of a container's logs is likely. */
static int explain_gone(pid_t pid, struct hp_err *err)
{
	pid_t contained = err->obstacle == OBSTACLE_GONE ? target_find_contained(pid) : 0;

	if (!contained)
		return -1;
	return hp_err_hint(
		err,
		"in its container that is process %d as seen from here: pyhotpatch attach %d",
		contained, contained);
}

/* The order makes the descriptors name one process: the folder in /proc is bound to it, and a
 * pidfd opened while that folder still answers is of the same one. */
static int open_process(struct target *target, pid_t pid, struct hp_err *err)
{
	struct proc_stat stat;

	target->pid = pid;
	if (procfs_open(&target->procfd, pid, err) < 0)
		return explain_gone(pid, err);
	/* Fails for a thread's id, which target_check_exists() reports, and on kernels
	 * before 5.3. */
	target->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (proc_status_read(&target->status, target->procfd, "status", err) < 0 ||
	    proc_stat_read(&stat, target->procfd, err) < 0)
		return hp_err_wrap(err, "process %d", pid);
	target->start_time = stat.start_time;
	target->is_kernel_thread = stat.flags & PROC_FLAG_KTHREAD;
	target->auxv_len = read_auxv(target, target->auxv, sizeof(target->auxv));
	read_exe(target);
	read_command(target);
	return 0;
}

/* The checks from that one on. */
static int check_state(const struct target *target, size_t first, struct hp_err *err)
{
	for (size_t i = first; i < state_check_count; i++) {
		if (state_checks[i](target, err) < 0)
			return -1;
	}
	return 0;
}

static int look_inside(struct target *target, struct hp_err *err)
{
	if (maps_read(&target->maps, target->procfd, err) < 0) {
		if (err->kind == HP_PERMISSION)
			return target_diagnose_eperm(target, "look into it", err);
		return hp_err_wrap(err, "process %d", target->pid);
	}
	if (modules_find(target, err) < 0 || python_find(target, err) < 0)
		return hp_err_wrap(err, "process %d", target->pid);
	remote_exec_find(target);
	return 0;
}

static int describe_inside(struct target *target, enum target_depth depth, struct hp_err *err)
{
	if (look_inside(target, err) < 0)
		return -1;
	if (target->python.kind == PYTHON_NONE || depth != TARGET_IDENTIFY) {
		if (python_check(target, err) < 0)
			return -1;
	}
	if (depth == TARGET_FULL && remote_exec_check(target, err) < 0)
		return -1;
	if (depth != TARGET_IDENTIFY && libc_find(target, err) < 0)
		return -1;
	if (!target_alive(target))
		return hp_err_obstacle(err, OBSTACLE_GONE, 0, "process %d ended meanwhile",
				       target->pid);
	return 0;
}

/* A process that is traced has another way in, perhaps. *err says that it is traced. */
static int describe_traced(struct target *target, enum target_depth depth, struct hp_err *err)
{
	struct hp_err other;

	if (err->obstacle != OBSTACLE_TRACED || check_state(target, 1, &other) < 0 ||
	    describe_inside(target, depth, &other) < 0 || !remote_exec_is_open(target))
		return -1;
	return 0;
}

static int describe(struct target *target, pid_t pid, enum target_depth depth,
		    struct hp_err *err)
{
	if (open_process(target, pid, err) < 0 || target_check_exists(target, err) < 0)
		return -1;
	if (depth != TARGET_IDENTIFY && check_state(target, 0, err) < 0)
		return describe_traced(target, depth, err);
	return describe_inside(target, depth, err);
}

int target_describe(struct target *out, pid_t pid, enum target_depth depth, struct hp_err *err)
{
	struct target target = target_empty;

	if (describe(&target, pid, depth, err) < 0) {
		target_fini(&target);
		return -1;
	}
	*out = target;
	return 0;
}

void target_fini(struct target *target)
{
	for (size_t i = 0; i < target->module_count; i++)
		elf_image_fini(&target->modules[i].image);
	free(target->modules);
	maps_fini(&target->maps);
	/* The zero value is accepted too; a descriptor 0 is never one of ours there. */
	if (target->pidfd > 0)
		close(target->pidfd);
	if (target->procfd > 0)
		close(target->procfd);
	*target = target_empty;
}

size_t target_examine(struct target *out, pid_t pid, struct hp_err *obstacles, size_t capacity)
{
	size_t count = 0;

	*out = target_empty;
	if (!capacity)
		return 0;
	if (open_process(out, pid, &obstacles[0]) < 0 ||
	    target_check_exists(out, &obstacles[0]) < 0)
		return 1;
	for (size_t i = 0; i < state_check_count && count < capacity; i++)
		count += state_checks[i](out, &obstacles[count]) < 0;
	if (count == capacity)
		return count;
	if (look_inside(out, &obstacles[count]) < 0)
		return count ? count : 1; /* the same refusal is known by then */
	if (count == 1 && obstacles[0].obstacle == OBSTACLE_TRACED && remote_exec_is_open(out))
		count = 0;
	if (python_check(out, &obstacles[count]) < 0)
		return count + 1;
	count += remote_exec_check(out, &obstacles[count]) < 0;
	if (count == capacity)
		return count;
	return count + (libc_find(out, &obstacles[count]) < 0);
}

size_t target_obstacles(pid_t pid, struct hp_err *obstacles, size_t capacity)
{
	_cleanup_(target_fini) struct target target;

	return target_examine(&target, pid, obstacles, capacity);
}

/* A pidfd knows without reading a file. */
static bool has_ended(const struct target *target)
{
	struct pollfd poll_fd = {.fd = target->pidfd, .events = POLLIN};
	struct proc_stat stat;
	struct hp_err ignored;

	if (target->pidfd >= 0)
		return poll(&poll_fd, 1, 0) > 0;
	return proc_stat_read(&stat, target->procfd, &ignored) < 0 ||
	       stat.start_time != target->start_time || stat.state == 'Z' || stat.state == 'X';
}

bool target_alive(const struct target *target)
{
	uint8_t auxv[sizeof(target->auxv)];
	size_t len;

	if (has_ended(target))
		return false;
	/* That of another program after exec(), that of nothing when the main thread has ended.
	 */
	len = read_auxv(target, auxv, sizeof(auxv));
	return len == target->auxv_len && !memcmp(auxv, target->auxv, len);
}
