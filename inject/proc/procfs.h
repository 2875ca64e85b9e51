/* SPDX-License-Identifier: MIT
 *
 * Reading /proc: whole small files, a process's status, its threads. Every path goes through a
 * descriptor of the process's folder (procfd), so that a reused pid is never read by mistake:
 * the kernel answers ESRCH on that descriptor once its process is gone.
 */
#ifndef INJECT_PROC_PROCFS_H
#define INJECT_PROC_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "inject/base/err.h"

/* Where /proc is: "/proc", or the folder that a test made and named in HP_PROC_ROOT. */
const char *procfs_root(void);
/* A descriptor (O_PATH) of the process's folder. */
HP_MUST_CHECK int procfs_open(int *procfd_out, pid_t pid, struct hp_err *err);

/* The whole file `name` below dirfd, NUL-terminated, owned by the caller. */
HP_MUST_CHECK int procfs_read(char **text_out, size_t *len_out, int dirfd, const char *name,
			      struct hp_err *err);

/* What /proc/PID/status says. */
struct proc_status {
	char name[64];
	char state; /* R S D T t Z X I */
	pid_t tgid, ppid, tracer;
	uid_t uid, euid, suid;
	gid_t gid, egid, sgid;
	unsigned threads;
	unsigned seccomp_mode; /* 0 none, 1 strict, 2 filter */
	bool no_new_privs;
	uint64_t cap_eff, cap_prm;
	uint64_t sig_blk;
	pid_t nspid[32]; /* as each namespace sees it, outermost (ours) first */
	size_t nspid_count;
};
HP_MUST_CHECK int proc_status_parse(struct proc_status *out, const char *text, size_t len,
				    struct hp_err *err);
/* name is "status", or "task/TID/status". */
HP_MUST_CHECK int proc_status_read(struct proc_status *out, int dirfd, const char *name,
				   struct hp_err *err);

/* The pid that a process has in its own pid namespace; 0 when that is the same one, or cannot
 * be known. */
pid_t proc_inner_pid(pid_t pid);
/* The same, when the status of pid has been read. */
pid_t proc_status_inner_pid(const struct proc_status *status, pid_t pid);

/* What /proc/PID/stat says. */
struct proc_stat {
	char state;
	pid_t parent;
	uint64_t flags;      /* PF_* of the kernel, see PROC_FLAG_KTHREAD */
	uint64_t start_time; /* clock ticks since boot */
};
#define PROC_FLAG_KTHREAD 0x00200000u /* include/linux/sched.h, PF_KTHREAD */
HP_MUST_CHECK int proc_stat_parse(struct proc_stat *out, const char *text, size_t len,
				  struct hp_err *err);
HP_MUST_CHECK int proc_stat_read(struct proc_stat *out, int dirfd, struct hp_err *err);

/* Field 22 of /proc/PID/stat, in clock ticks since boot: with the pid it names a process for
 * good. */
HP_MUST_CHECK int proc_start_time(uint64_t *ticks_out, int dirfd, struct hp_err *err);

/* Whether a name in /proc is a process id. */
bool proc_pid_of_name(const char *name, pid_t *pid_out);
/* The numeric names in a folder of /proc; owned, freed with free(); NULL when there are none.
 */
HP_MUST_CHECK int proc_list_pids(pid_t **pids_out, size_t *count_out, int dirfd,
				 const char *name, struct hp_err *err);

/* Every process of the machine, in no order; owned, freed with free(). */
HP_MUST_CHECK int proc_list_all(pid_t **pids_out, size_t *count_out, struct hp_err *err);

/* The thread ids of a process; owned, freed with free(). Never empty on success. */
HP_MUST_CHECK int proc_threads(pid_t **tids_out, size_t *count_out, int procfd,
			       struct hp_err *err);

#endif
