/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/proc/procfs.h"

static const char sample[] = "Name:\ta (b) c\n"
			     "Umask:\t0022\n"
			     "State:\tt (tracing stop)\n"
			     "Tgid:\t4711\n"
			     "Ngid:\t0\n"
			     "Pid:\t4713\n"
			     "PPid:\t1\n"
			     "TracerPid:\t99\n"
			     "Uid:\t1000\t1001\t1002\t1003\n"
			     "Gid:\t5\t6\t7\t8\n"
			     "FDSize:\t64\n"
			     "NStgid:\t4711\t12\t1\n"
			     "NSpid:\t4713\t14\t3\n"
			     "Threads:\t12\n"
			     "SigBlk:\t0000000000010000\n"
			     "CapPrm:\t000001ffffffffff\n"
			     "CapEff:\t0000000000080000\n"
			     "NoNewPrivs:\t1\n"
			     "Seccomp:\t2\n"
			     "Seccomp_filters:\t1\n";

static int parse(struct proc_status *out, const char *text, struct hp_err *err)
{
	return proc_status_parse(out, text, strlen(text), err);
}

Test(status, every_field_is_read)
{
	struct proc_status s;
	struct hp_err err;

	cr_assert(eq(int, parse(&s, sample, &err), 0));
	cr_assert(eq(str, s.name, "a (b) c"));
	cr_assert(eq(chr, s.state, 't'));
	cr_assert(eq(int, s.tgid, 4711));
	cr_assert(eq(int, s.ppid, 1));
	cr_assert(eq(int, s.tracer, 99));
	cr_assert(eq(u32, s.uid, 1000));
	cr_assert(eq(u32, s.euid, 1001));
	cr_assert(eq(u32, s.suid, 1002));
	cr_assert(eq(u32, s.gid, 5));
	cr_assert(eq(u32, s.sgid, 7));
	cr_assert(eq(u32, s.threads, 12));
	cr_assert(eq(u64, s.sig_blk, 0x10000));
	cr_assert(eq(u64, s.cap_prm, 0x1ffffffffff));
	cr_assert(eq(u64, s.cap_eff, 0x80000));
	cr_assert(s.no_new_privs);
	cr_assert(eq(u32, s.seccomp_mode, 2));
	cr_assert(eq(sz, s.nspid_count, 3));
	cr_assert(eq(int, s.nspid[0], 4713));
	cr_assert(eq(int, s.nspid[2], 3));
}

/* The sample without the line that begins with `key`, or with it replaced. */
static char *without(const char *key, const char *instead)
{
	const char *at = strstr(sample, key);
	char *text = NULL;

	cr_assert(ge(int,
		     asprintf(&text, "%.*s%s%s", (int)(at - sample), sample, instead,
			      strchr(at, '\n') + 1),
		     0));
	return text;
}

Test(status, lines_that_matter_must_be_there)
{
	static const char *const needed[] = {
		"Name:", "State:",   "Tgid:",   "TracerPid:", "Uid:",   "Gid:",
		"PPid:", "Threads:", "SigBlk:", "CapPrm:",    "CapEff:"};

	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++) {
		struct proc_status s;
		struct hp_err err;
		char *text = without(needed[i], "");

		cr_assert(eq(int, parse(&s, text, &err), -1), "%s", needed[i]);
		free(text);
	}
}

Test(status, lines_of_newer_kernels_may_be_missing)
{
	static const char *const optional[] = {"NSpid:", "NoNewPrivs:", "Seccomp:", "Umask:"};

	for (size_t i = 0; i < sizeof(optional) / sizeof(*optional); i++) {
		struct proc_status s;
		struct hp_err err;
		char *text = without(optional[i], "");

		cr_assert(eq(int, parse(&s, text, &err), 0), "%s", optional[i]);
		free(text);
	}
}

Test(status, nonsense_in_a_line_is_refused)
{
	static const char *const wrong[][2] = {
		{"Uid:", "Uid:\t1000\t1001\n"},
		{"Uid:", "Uid:\t-1\t0\t0\t0\n"},
		{"Uid:", "Uid:\t4294967296\t0\t0\t0\n"},
		{"Tgid:", "Tgid:\t99999999999\n"},
		{"Tgid:", "Tgid:\n"},
		{"State:", "State:\t\n"},
		{"CapEff:", "CapEff:\t10000000000000000\n"},
		{"Threads:", "Threads:\tmany\n"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct proc_status s;
		struct hp_err err;
		char *text = without(wrong[i][0], wrong[i][1]);

		cr_assert(eq(int, parse(&s, text, &err), -1), "%s", wrong[i][1]);
		free(text);
	}
}

Test(status, the_first_of_two_lines_counts)
{
	struct proc_status s;
	struct hp_err err;
	char *text = without("Seccomp_filters:", "Uid:\t0\t0\t0\t0\nName:\tother\n");

	cr_assert(eq(int, parse(&s, text, &err), 0));
	cr_assert(eq(u32, s.uid, 1000));
	cr_assert(eq(str, s.name, "a (b) c"));
	free(text);
}

Test(status, too_many_namespaces_and_too_long_a_name_are_cut)
{
	struct proc_status s;
	struct hp_err err;
	char line[1024] = "NSpid:";
	char *text;

	for (int i = 0; i < 100; i++)
		strcat(line, "\t7");
	strcat(line, "\n");
	text = without("NSpid:", line);
	cr_assert(eq(int, parse(&s, text, &err), 0));
	cr_assert(eq(sz, s.nspid_count, sizeof(s.nspid) / sizeof(*s.nspid)));
	free(text);

	memset(line, 'x', 300);
	memcpy(line, "Name:\t", 6);
	strcpy(line + 300, "\n");
	text = without("Name:", line);
	cr_assert(eq(int, parse(&s, text, &err), 0));
	cr_assert(eq(sz, strlen(s.name), sizeof(s.name) - 1));
	free(text);
}

Test(stat, the_name_may_hold_blanks_and_parentheses)
{
	static const char text[] =
		"17 (a) R (b 1 2) S 1 17 17 0 -1 4194560 90 0 0 0 0 1 0 0 20 0 1 0 123456 9 0 1\n";
	struct proc_stat stat;
	struct hp_err err;

	cr_assert(eq(int, proc_stat_parse(&stat, text, sizeof(text) - 1, &err), 0));
	cr_assert(eq(chr, stat.state, 'S'));
	cr_assert(eq(int, stat.parent, 1));
	cr_assert(eq(u64, stat.flags, 4194560));
	cr_assert(eq(u64, stat.start_time, 123456));
}

Test(stat, a_short_or_strange_text_is_refused)
{
	static const char *const wrong[] = {
		"",
		"17",
		"17 (a)",
		"17 (a) ",
		"17 (a) S 1 17 17 0 -1 4194560 90 0 0 0 0 1 0 0 20 0 1 0",
		"17 (a) S 1 17 17 0 -1 x 90 0 0 0 0 1 0 0 20 0 1 0 123456",
		"17 (a) S 1 17 17 0 -1 4194560 90 0 0 0 0 1 0 0 20 0 1 0 99999999999999999999",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct proc_stat stat;
		struct hp_err err;
		cr_assert(eq(int, proc_stat_parse(&stat, wrong[i], strlen(wrong[i]), &err), -1),
			  "accepted: %s", wrong[i]);
	}
}

Test(procfs, our_own_status_is_true)
{
	struct proc_status s;
	struct hp_err err;
	uint64_t first, second;
	int procfd;

	prctl(PR_SET_NAME, "a) R (b", 0, 0, 0);
	cr_assert(eq(int, procfs_open(&procfd, getpid(), &err), 0));
	cr_assert(eq(int, proc_status_read(&s, procfd, "status", &err), 0));
	cr_assert(eq(str, s.name, "a) R (b"));
	cr_assert(eq(int, s.tgid, getpid()));
	cr_assert(eq(int, s.ppid, getppid()));
	cr_assert(eq(u32, s.uid, getuid()));
	cr_assert(eq(chr, s.state, 'R'));
	cr_assert(eq(int, proc_start_time(&first, procfd, &err), 0));
	cr_assert(eq(int, proc_start_time(&second, procfd, &err), 0));
	cr_assert(eq(u64, first, second));
	cr_assert(lt(u64, 0, first));
	close(procfd);
}

static void *wait_in_pipe(void *argument)
{
	char byte;

	return read(*(int *)argument, &byte, 1) ? NULL : argument;
}

Test(procfs, threads_are_all_listed)
{
	enum { COUNT = 70 };
	pthread_t threads[COUNT];
	struct hp_err err;
	int pipefd[2], procfd;
	pid_t *tids;
	size_t count, seen_main = 0;

	cr_assert(eq(int, pipe(pipefd), 0));
	for (int i = 0; i < COUNT; i++)
		cr_assert(eq(int, pthread_create(&threads[i], NULL, wait_in_pipe, &pipefd[0]),
			     0));
	cr_assert(eq(int, procfs_open(&procfd, getpid(), &err), 0));
	cr_assert(eq(int, proc_threads(&tids, &count, procfd, &err), 0));
	cr_assert(ge(sz, count, COUNT + 1));
	for (size_t i = 0; i < count; i++)
		seen_main += tids[i] == getpid();
	cr_assert(eq(sz, seen_main, 1));
	close(pipefd[1]);
	for (int i = 0; i < COUNT; i++)
		pthread_join(threads[i], NULL);
	free(tids);
	close(procfd);
}

Test(procfs, a_gone_process_is_an_error_of_its_own_kind)
{
	struct proc_status s;
	struct hp_err err;
	pid_t *tids, child = fork();
	size_t count;
	int procfd;

	if (!child) {
		pause();
		_exit(0);
	}
	cr_assert(eq(int, procfs_open(&procfd, child, &err), 0));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	/* The descriptor stays bound to the one that is gone, whoever gets its number next. */
	cr_assert(eq(int, proc_status_read(&s, procfd, "status", &err), -1));
	cr_assert(eq(int, err.kind, HP_NO_PROCESS));
	cr_assert(eq(int, proc_threads(&tids, &count, procfd, &err), -1));
	cr_assert(eq(int, err.kind, HP_NO_PROCESS));
	close(procfd);
	cr_assert(eq(int, procfs_open(&procfd, child, &err), -1));
	cr_assert(eq(int, err.kind, HP_NO_PROCESS));
}

Test(procfs, numbers_that_are_no_pid_are_refused)
{
	static const char *const wrong[] = {"",  "0",           "-1",   "1x",
					    "x", "99999999999", "self", " 1"};
	struct hp_err err;
	pid_t pid;
	int procfd;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		cr_assert(not(proc_pid_of_name(wrong[i], &pid)), "accepted: %s", wrong[i]);
	cr_assert(proc_pid_of_name("4711", &pid));
	cr_assert(eq(int, pid, 4711));
	cr_assert(eq(int, procfs_open(&procfd, 0, &err), -1));
	cr_assert(eq(int, procfs_open(&procfd, -5, &err), -1));
	cr_assert(eq(int, err.kind, HP_NO_PROCESS));
}
