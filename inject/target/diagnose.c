/* SPDX-License-Identifier: MIT
 *
 * What of a process's state stands in the way, and why the kernel said no: each with its
 * remedy.
 *
 * The invariant: a hint names a command that works for this process, not a class of commands.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "inject/base/cleanup.h"
#include "inject/proc/scan.h"
#include "inject/target/parts.h"

/* include/uapi/linux/capability.h */
#define CAP_BIT_SYS_PTRACE 19
#define CAP_BIT_SYS_ADMIN  21

static bool is_ended(char state)
{
	return state == 'Z' || state == 'X' || state == 'x';
}

static int check_thread_id(const struct target *target, struct hp_err *err)
{
	if (target->status.tgid == target->pid)
		return 0;
	hp_err_obstacle(err, OBSTACLE_THREAD, 0, "%d is a thread of process %d, not a process",
			target->pid, target->status.tgid);
	return hp_err_hint(err, "pyhotpatch attach %d", target->status.tgid);
}

static int check_zombie(const struct target *target, struct hp_err *err)
{
	const struct proc_status *status = &target->status;

	if (!is_ended(status->state))
		return 0;
	if (status->threads > 1) {
		hp_err_obstacle(err, OBSTACLE_MAIN_ENDED, 0,
				"the main thread of process %d (%s) has ended", target->pid,
				status->name);
		return -1;
	}
	hp_err_obstacle(err, OBSTACLE_ZOMBIE, 0, "process %d (%s) has ended and is a zombie",
			target->pid, status->name);
	return hp_err_hint(err, "it is gone; its parent, process %d, has not collected it yet",
			   status->ppid);
}

static int check_kernel_thread(const struct target *target, struct hp_err *err)
{
	if (!target->is_kernel_thread)
		return 0;
	return hp_err_obstacle(err, OBSTACLE_KERNEL, 0, "process %d (%s) is a kernel thread",
			       target->pid, target->status.name);
}

int target_check_exists(const struct target *target, struct hp_err *err)
{
	if (check_thread_id(target, err) < 0 || check_zombie(target, err) < 0)
		return -1;
	return check_kernel_thread(target, err);
}

/* The name of any process; "a process" when it cannot be read. */
static void name_of(char *out, size_t len, pid_t pid)
{
	struct proc_status status;
	struct hp_err ignored;
	_cleanup_fd_ int fd = -1;

	snprintf(out, len, "a process");
	if (procfs_open(&fd, pid, &ignored) == 0 &&
	    proc_status_read(&status, fd, "status", &ignored) == 0)
		snprintf(out, len, "%s", status.name);
}

static int check_traced(const struct target *target, struct hp_err *err)
{
	pid_t tracer = target->status.tracer;
	char name[64];

	if (!tracer && target->status.state != 't')
		return 0;
	if (!tracer) /* the tracer lives in a PID namespace outside of ours */
		return hp_err_obstacle(err, OBSTACLE_TRACED, 0, "process %d is already traced",
				       target->pid);
	name_of(name, sizeof(name), tracer);
	hp_err_obstacle(err, OBSTACLE_TRACED, 0, "process %d is already traced by %s (pid %d)",
			target->pid, name, tracer);
	return hp_err_hint(err, "end %s (pid %d) or let it detach, then attach again", name,
			   tracer);
}

static int check_stopped(const struct target *target, struct hp_err *err)
{
	if (target->status.state != 'T' || target->status.tracer)
		return 0;
	hp_err_obstacle(err, OBSTACLE_STOPPED, 0, "process %d (%s) is stopped", target->pid,
			target->status.name);
	return hp_err_hint(err, "kill -CONT %d, then attach again", target->pid);
}

/* Whether our capabilities are those of the machine: then our user namespace is the initial
 * one, where every id is mapped to itself. */
static bool rights_are_real(int self)
{
	_cleanup_free_ char *text = NULL;
	struct hp_err ignored;
	uint64_t inside = 1, outside = 1, count = 0;
	size_t len;

	if (procfs_read(&text, &len, self, "uid_map", &ignored) < 0)
		return true; /* a kernel without user namespaces */
	struct scan scan = scan_of(text, len);
	scan_blanks(&scan);
	(void)scan_number(&scan, 10, &inside);
	scan_blanks(&scan);
	(void)scan_number(&scan, 10, &outside);
	scan_blanks(&scan);
	(void)scan_number(&scan, 10, &count);
	return inside == 0 && outside == 0 && count == UINT32_MAX;
}

/* The kernel shows filters to CAP_SYS_ADMIN alone, and to nobody who is under one himself
 * (kernel/seccomp.c, seccomp_get_filter). */
static bool may_read_filters(void)
{
	struct proc_status self;
	struct hp_err ignored;
	_cleanup_fd_ int fd = -1;

	return procfs_open(&fd, getpid(), &ignored) == 0 &&
	       proc_status_read(&self, fd, "status", &ignored) == 0 && !self.seccomp_mode &&
	       (self.cap_eff >> CAP_BIT_SYS_ADMIN & 1) && rights_are_real(fd);
}

/* What a filter says is judged when a thread is held (seccomp.h); that it cannot be read is
 * known before. */
static int check_seccomp(const struct target *target, struct hp_err *err)
{
	if (target->status.seccomp_mode == SECCOMP_MODE_STRICT)
		return hp_err_obstacle(err, OBSTACLE_SECCOMP_STRICT, 0,
				       "process %d is in seccomp's strict mode", target->pid);
	if (!target->status.seccomp_mode || may_read_filters())
		return 0;
	return target_filters_unreadable(target, err);
}

int target_filters_unreadable(const struct target *target, struct hp_err *err)
{
	hp_err_obstacle(
		err, OBSTACLE_SECCOMP_UNREADABLE, 0,
		"process %d runs under a seccomp filter, which the kernel shows to the machine's root alone: it might kill the process for a call of ours",
		target->pid);
	if (geteuid() != 0)
		return hp_err_hint(err, "sudo pyhotpatch attach %d", target->pid);
	return -1;
}

/* Opening mem asks the kernel the very question that ptrace would (PTRACE_MODE_ATTACH, Yama
 * included; fs/proc/base.c, proc_mem_open), without touching the process. The file is its
 * owner's alone, though; who has CAP_SYS_PTRACE and nothing else asks by a read, which fails
 * differently when it is allowed (mm/process_vm_access.c). */
static bool has_access(const struct target *target)
{
	_cleanup_fd_ int fd = openat(target->procfd, "mem", O_RDONLY | O_CLOEXEC);
	char byte;
	struct iovec here = {&byte, 1}, nowhere = {NULL, 1};

	if (fd >= 0 || (errno != EACCES && errno != EPERM))
		return true;
	return process_vm_readv(target->pid, &here, 1, &nowhere, 1, 0) >= 0 || errno == EFAULT;
}

static int check_access(const struct target *target, struct hp_err *err)
{
	return has_access(target) ? 0 : target_diagnose_eperm(target, "attach", err);
}

const state_check state_checks[] = {
	check_traced,
	check_stopped,
	check_access,
	check_seccomp,
};
const size_t state_check_count = sizeof(state_checks) / sizeof(*state_checks);

/* What is known about us and the machine when the kernel has said no. */
struct refusal {
	const struct target *target;
	const char *what;
	struct proc_status self;
	bool self_known;
	int yama; /* -1 when there is no Yama */
};

static int yama_scope(void)
{
	_cleanup_free_ char *text = NULL;
	struct hp_err ignored;
	size_t len;
	uint64_t value;
	_cleanup_fd_ int root = open(procfs_root(), O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root < 0 ||
	    procfs_read(&text, &len, root, "sys/kernel/yama/ptrace_scope", &ignored) < 0)
		return -1;
	struct scan scan = scan_of(text, len);
	return scan_number(&scan, 10, &value) && value <= 3 ? (int)value : -1;
}

static bool may_ptrace_all(const struct refusal *r)
{
	return r->self_known && (r->self.cap_eff >> CAP_BIT_SYS_PTRACE & 1);
}

static void user_name(char *out, size_t len, uid_t uid)
{
	const struct passwd *entry = getpwuid(uid);

	if (entry)
		snprintf(out, len, "%s", entry->pw_name);
	else
		snprintf(out, len, "uid %u", uid);
}

static int sudo_hint(struct hp_err *err, const struct refusal *r)
{
	if (geteuid() == 0) /* root without the capability: a container */
		return hp_err_hint(
			err,
			"give the container CAP_SYS_PTRACE (docker run --cap-add SYS_PTRACE), or attach from the host");
	return hp_err_hint(err, "sudo pyhotpatch attach %d", r->target->pid);
}

static int because_other_user(const struct refusal *r, struct hp_err *err)
{
	const struct proc_status *status = &r->target->status;
	uid_t us = r->self.uid;
	char name[64];

	/* __ptrace_may_access() of kernel/ptrace.c asks for all six to be equal. */
	if (may_ptrace_all(r) || (status->uid == us && status->euid == us &&
				  status->suid == us && status->gid == r->self.gid &&
				  status->egid == r->self.gid && status->sgid == r->self.gid))
		return 0;
	user_name(name, sizeof(name), status->uid);
	if (status->uid == us)
		hp_err_obstacle(
			err, OBSTACLE_SET_ID, 0,
			"may not %s: process %d runs with the rights of another user or group (set-uid, set-gid)",
			r->what, r->target->pid);
	else
		hp_err_obstacle(err, OBSTACLE_OTHER_USER, 0,
				"may not %s: process %d belongs to %s", r->what, r->target->pid,
				name);
	return sudo_hint(err, r);
}

static int because_yama(const struct refusal *r, struct hp_err *err)
{
	if (r->yama == 3) {
		hp_err_obstacle(
			err, OBSTACLE_YAMA_OFF, 0,
			"may not %s: this machine forbids it for everybody (Yama's ptrace_scope is 3)",
			r->what);
		return -1;
	}
	if (may_ptrace_all(r) || r->yama < 1)
		return 0;
	hp_err_obstacle(err, OBSTACLE_YAMA, 0,
			"may not %s process %d: Yama's ptrace_scope is %d (%s)", r->what,
			r->target->pid, r->yama,
			r->yama == 1 ? "only its own parents may" : "only administrators may");
	return sudo_hint(err, r);
}

static int because_privileged(const struct refusal *r, struct hp_err *err)
{
	if (may_ptrace_all(r) || !(r->target->status.cap_prm & ~r->self.cap_prm))
		return 0;
	hp_err_obstacle(err, OBSTACLE_CAPABILITIES, 0,
			"may not %s: process %d has capabilities that you have not", r->what,
			r->target->pid);
	return sudo_hint(err, r);
}

/* A process that is not dumpable has its files in /proc given to root (fs/proc/base.c,
 * task_dump_owner). */
static int because_not_dumpable(const struct refusal *r, struct hp_err *err)
{
	struct stat st;

	if (may_ptrace_all(r) || fstatat(r->target->procfd, "maps", &st, 0) < 0 ||
	    st.st_uid == r->target->status.euid)
		return 0;
	hp_err_obstacle(
		err, OBSTACLE_NOT_DUMPABLE, 0,
		"may not %s: process %d is protected (not dumpable: it changed its user, or its program may not be read)",
		r->what, r->target->pid);
	return sudo_hint(err, r);
}

static int because_namespace(const struct refusal *r, struct hp_err *err)
{
	char theirs[64] = "", ours[64] = "", path[256];

	snprintf(path, sizeof(path), "%s/self/ns/user", procfs_root());
	if (readlinkat(r->target->procfd, "ns/user", theirs, sizeof(theirs) - 1) <= 0 ||
	    readlink(path, ours, sizeof(ours) - 1) <= 0 || !strcmp(theirs, ours))
		return 0;
	hp_err_obstacle(err, OBSTACLE_USER_NAMESPACE, 0,
			"may not %s: process %d lives in another user namespace", r->what,
			r->target->pid);
	return hp_err_hint(
		err,
		"run pyhotpatch on the host, outside of every container: sudo pyhotpatch attach PID");
}

int target_diagnose_eperm(const struct target *target, const char *what, struct hp_err *err)
{
	static int (*const causes[])(const struct refusal *, struct hp_err *) = {
		because_other_user,   because_yama,      because_privileged,
		because_not_dumpable, because_namespace,
	};
	struct refusal r = {.target = target, .what = what, .yama = yama_scope()};
	struct target now = *target;
	struct hp_err ignored;
	_cleanup_fd_ int self = -1;

	/* A tracer may have come since the description was made. */
	if (proc_status_read(&now.status, target->procfd, "status", &ignored) < 0)
		now.status = target->status;
	if (check_traced(&now, err) < 0)
		return -1;
	r.self_known = procfs_open(&self, getpid(), &ignored) == 0 &&
		       proc_status_read(&r.self, self, "status", &ignored) == 0;
	if (!r.self_known)
		r.self = (struct proc_status){.uid = getuid(), .gid = getgid()};
	for (size_t i = 0; i < sizeof(causes) / sizeof(*causes); i++) {
		if (causes[i](&r, err) < 0)
			return -1;
	}
	return hp_err_obstacle(err, OBSTACLE_SECURITY_MODULE, 0,
			       "may not %s: the kernel forbids it for process %d", what,
			       target->pid);
}
