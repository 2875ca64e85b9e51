/* SPDX-License-Identifier: MIT
 *
 * Facts for list and doctor. Reads /proc, touches no process.
 */
#include "src/process_info.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "inject/base/cleanup.h"
#include "inject/proc/procfs.h"
#include "inject/session/session.h"
#include "inject/target/target.h"
#include "inject/unwind/unwind_library.h"
#include "src/payload_path.h"

#define CAP_SYS_PTRACE_BIT 19 /* linux/capability.h */

/* Mostly the same as the last one: each question opens /etc/passwd and more. */
static void name_user(char *out, size_t size, uid_t uid)
{
	static char last_name[sizeof(((struct process_info *)0)->user)];
	static uid_t last;

	if (!last_name[0] || uid != last) {
		const struct passwd *entry = getpwuid(uid);

		if (entry)
			snprintf(last_name, sizeof(last_name), "%s", entry->pw_name);
		else
			snprintf(last_name, sizeof(last_name), "%u", (unsigned)uid);
		last = uid;
	}
	snprintf(out, size, "%s", last_name);
}

/* start is in clock ticks since boot, suspended time included (proc(5), field 22 of stat). */
static int64_t uptime_of(uint64_t start)
{
	long ticks = sysconf(_SC_CLK_TCK);
	struct timespec now;
	int64_t started_s;

	if (ticks <= 0 || clock_gettime(CLOCK_BOOTTIME, &now) < 0)
		return -1;
	started_s = (int64_t)(start / (uint64_t)ticks);
	return now.tv_sec > started_s ? now.tv_sec - started_s : 0;
}

/* The words of a command line are ended by NULs; show them on one line. */
static void read_command(char *out, size_t size, int procfd)
{
	_cleanup_free_ char *text = NULL;
	struct hp_err err;
	size_t len;

	if (procfs_read(&text, &len, procfd, "cmdline", &err) < 0 || !len)
		return;
	for (size_t i = 0; i + 1 < len; i++)
		if (!text[i])
			text[i] = ' ';
	snprintf(out, size, "%s", text);
}

/* What /proc shows of everybody's processes, for those that may not be looked into. */
static void get_public_facts(struct process_info *out)
{
	_cleanup_fd_ int procfd = -1;
	struct proc_status status;
	struct hp_err err;
	uint64_t start;

	if (procfs_open(&procfd, out->pid, &err) < 0)
		return;
	if (proc_status_read(&status, procfd, "status", &err) == 0)
		name_user(out->user, sizeof(out->user), status.uid);
	if (proc_start_time(&start, procfd, &err) == 0)
		out->uptime_s = uptime_of(start);
	read_command(out->command, sizeof(out->command), procfd);
}

void process_info_get(struct process_info *out, pid_t pid)
{
	struct target target;

	*out = (struct process_info){
		.pid = pid, .inner_pid = proc_inner_pid(pid), .uptime_s = -1};
	get_public_facts(out);
	out->obstacle_count = target_examine(&target, pid, out->obstacles, OBSTACLES_MAX);
	if (target.python.kind != PYTHON_NONE) {
		snprintf(out->python, sizeof(out->python), "%s", target.python.version);
		snprintf(out->command, sizeof(out->command), "%s", target.command);
	}
	target_fini(&target);
}

void process_info_check_filters(struct process_info *info)
{
	struct target target;
	struct hp_err err;

	if (info->obstacle_count || target_describe(&target, info->pid, TARGET_FULL, &err) < 0)
		return; /* it cannot be attached to anyway, or has ended by now */
	if (session_check_filters(&target, &err) < 0)
		info->obstacles[info->obstacle_count++] = err;
	target_fini(&target);
}

void process_info_check_payload(struct process_info *info)
{
	_cleanup_free_ char *payload = NULL;

	if (info->obstacle_count < OBSTACLES_MAX &&
	    payload_path_find(&payload, &info->obstacles[info->obstacle_count]) < 0)
		info->obstacle_count++;
}

int process_info_exit_status(const struct process_info *info)
{
	return info->obstacle_count ? hp_err_exit_status(info->obstacles[0].kind) : 0;
}

static int read_yama(void)
{
	_cleanup_file_ FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope = file ? fgetc(file) : EOF;

	return scope >= '0' && scope <= '3' ? scope - '0' : -1;
}

static int read_capability(void)
{
	_cleanup_fd_ int procfd = -1;
	struct proc_status status;
	struct hp_err err;

	if (procfs_open(&procfd, getpid(), &err) < 0 ||
	    proc_status_read(&status, procfd, "status", &err) < 0)
		return -1;
	return (int)(status.cap_eff >> CAP_SYS_PTRACE_BIT & 1);
}

static void add_yama_obstacle(struct machine_info *info)
{
	struct hp_err *err = &info->obstacles[info->obstacle_count];

	if (info->yama == 3) {
		hp_err_set(err, HP_PERMISSION, 0,
			   "Yama forbids ptrace to everybody (ptrace_scope 3)");
		hp_err_hint(
			err,
			"set kernel.yama.ptrace_scope to 0, 1 or 2 in /etc/sysctl.d and boot again");
	} else if (info->yama > 0 && info->may_trace == 0) {
		hp_err_set(err, HP_PERMISSION, 0,
			   "Yama (ptrace_scope %d) allows it only with CAP_SYS_PTRACE",
			   info->yama);
		hp_err_hint(err, "run pyhotpatch by sudo, or allow it until the next boot: "
				 "sudo sysctl kernel.yama.ptrace_scope=0");
	} else {
		return;
	}
	info->obstacle_count++;
}

static void find_libunwind(struct machine_info *info)
{
	struct unwind_library library;

	if (unwind_library_load(&library, &info->obstacles[info->obstacle_count]) == 0)
		info->libunwind = HP_LIBUNWIND_VERSION;
	else
		info->obstacle_count++;
}

void machine_info_get(struct machine_info *out)
{
	_cleanup_free_ char *payload = NULL;

	*out = (struct machine_info){
		.yama = read_yama(),
		.may_trace = read_capability(),
		.libunwind = "",
	};
	name_user(out->user, sizeof(out->user), geteuid());
	if (payload_path_find(&payload, &out->obstacles[0]) == 0)
		snprintf(out->payload, sizeof(out->payload), "%s", payload);
	else
		out->obstacle_count = 1;
	find_libunwind(out);
	add_yama_obstacle(out);
}
