/* SPDX-License-Identifier: MIT
 *
 * What list and doctor know about a process: a few facts and the obstacles. Made from struct
 * target, which it does not keep.
 */
#ifndef SRC_PROCESS_INFO_H
#define SRC_PROCESS_INFO_H

#include <stdint.h>
#include <sys/types.h>

#include "inject/base/err.h"

#define OBSTACLES_MAX 16

struct process_info {
	pid_t pid;
	pid_t inner_pid; /* as proc_inner_pid() has it */
	char python[32]; /* "" when unknown, here and below */
	char user[64];
	char command[256];
	int64_t uptime_s; /* -1 when unknown */
	struct hp_err obstacles[OBSTACLES_MAX];
	size_t obstacle_count; /* 0: can be attached to */
};

/* Cannot fail: what cannot be found out is an obstacle, or stays unknown. */
void process_info_get(struct process_info *out, pid_t pid);

/* What an attach would meet in seccomp filters, which takes the stop of one thread: for doctor
 * alone. */
void process_info_check_filters(struct process_info *info);

/* Without a payload no process can be attached to: add that obstacle, if it is one. */
void process_info_check_payload(struct process_info *info);

/* 0, or the exit status that an attach would end with. */
int process_info_exit_status(const struct process_info *info);

/* What doctor says about the machine. */
struct machine_info {
	char payload[512]; /* "" when not found, which is an obstacle */
	int yama;          /* ptrace_scope 0-3; -1: the kernel has no Yama */
	int may_trace;     /* CAP_SYS_PTRACE in the effective set; -1 unknown */
	char user[64];
	const char *libunwind; /* version, a literal; "" when it is not there, an obstacle */
	struct hp_err obstacles[OBSTACLES_MAX];
	size_t obstacle_count;
};
void machine_info_get(struct machine_info *out);

#endif
