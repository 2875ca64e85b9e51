/* SPDX-License-Identifier: MIT
 *
 * Reading /proc: whole small files, a process's status, its threads. Every path goes through a
 * descriptor of the process's folder (procfd), so that a reused pid is never read by mistake: the
 * kernel answers ESRCH on that descriptor once its process is gone.
 */
#ifndef INJECT_PROC_PROCFS_H
#define INJECT_PROC_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "inject/base/err.h"

/* Where /proc is: "/proc", or a folder that a test made (HP_PROC_ROOT is read by tests only). */
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

/* Field 22 of /proc/PID/stat, in clock ticks since boot: with the pid it names a process for good. */
HP_MUST_CHECK int proc_start_time(uint64_t *ticks_out, int dirfd, struct hp_err *err);

/* The thread ids of a process; owned, freed with free(). Never empty on success. */
HP_MUST_CHECK int proc_threads(pid_t **tids_out, size_t *count_out, int procfd, struct hp_err *err);

#endif
