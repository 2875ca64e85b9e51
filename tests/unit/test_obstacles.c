/* SPDX-License-Identifier: MIT
 *
 * Each state of a process that stands in the way: its kind, the sentence, the remedy.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/target/target.h"
#include "victims.h"

#define SOMEBODY 65534

static void nothing(void *argument)
{
	(void)argument;
}

/* The first obstacle of attaching to pid must be of that kind, and say and advise this. */
static void assert_refused(pid_t pid, enum hp_err_kind kind, const char *says,
			   const char *advises)
{
	struct target target;
	struct hp_err err = {0}, all[8];

	cr_assert(eq(int, target_describe(&target, pid, TARGET_FULL, &err), -1));
	cr_assert(eq(int, err.kind, kind), "%s", err.text);
	cr_assert(ne(ptr, strstr(err.text, says), NULL), "\"%s\" does not say \"%s\"", err.text,
		  says);
	cr_assert(ne(ptr, strstr(hp_err_hint_of(&err), advises), NULL),
		  "\"%s\" does not advise \"%s\"", hp_err_hint_of(&err), advises);
	cr_assert(lt(sz, 0, target_obstacles(pid, all, 8)));
	cr_assert(eq(int, all[0].kind, kind));
	cr_assert(eq(str, all[0].text, err.text));
}

Test(obstacles, no_such_process)
{
	struct victim victim = victim_fork(nothing, NULL);
	pid_t pid = victim.pid;

	victim_end(&victim);
	assert_refused(pid, HP_NO_PROCESS, "there is no process", "check the pid");
}

static void *tell_tid(void *argument)
{
	int *pipefd = argument;
	pid_t tid = (pid_t)syscall(SYS_gettid);
	char byte;

	cr_assert(eq(int, (int)write(pipefd[1], &tid, sizeof(tid)), (int)sizeof(tid)));
	return read(pipefd[2], &byte, 1) ? NULL : argument;
}

Test(obstacles, a_thread_id_is_no_process_id)
{
	int from[2], to[2], ends[3];
	char advice[64];
	pthread_t thread;
	pid_t tid = 0;

	cr_assert(eq(int, pipe(from), 0));
	cr_assert(eq(int, pipe(to), 0));
	ends[1] = from[1];
	ends[2] = to[0];
	cr_assert(eq(int, pthread_create(&thread, NULL, tell_tid, ends), 0));
	cr_assert(eq(int, (int)read(from[0], &tid, sizeof(tid)), (int)sizeof(tid)));
	snprintf(advice, sizeof(advice), "pyhotpatch attach %d", getpid());
	assert_refused(tid, HP_NO_PROCESS, "is a thread of process", advice);
	close(to[1]);
	pthread_join(thread, NULL);
}

static void end_at_once(void *argument)
{
	(void)argument;
	_exit(0);
}

Test(obstacles, a_zombie)
{
	struct victim victim = victim_fork(end_at_once, NULL);
	char parent[64];

	victim_await_state(&victim, "Z");
	snprintf(parent, sizeof(parent), "its parent, process %d", getpid());
	assert_refused(victim.pid, HP_ZOMBIE, "is a zombie", parent);
	victim_end(&victim);
}

static void stop_self(void *argument)
{
	(void)argument;
	raise(SIGSTOP);
}

Test(obstacles, a_stopped_process)
{
	struct victim victim = victim_fork(stop_self, NULL);
	char advice[64];

	victim_await_state(&victim, "T");
	snprintf(advice, sizeof(advice), "kill -CONT %d", victim.pid);
	assert_refused(victim.pid, HP_STOPPED, "is stopped", advice);
	victim_end(&victim);
}

Test(obstacles, a_traced_process_names_its_tracer)
{
	struct victim victim = victim_fork(nothing, NULL);
	char tracer[64];

	prctl(PR_SET_NAME, "a debugger", 0, 0, 0);
	cr_assert(eq(int, (int)ptrace(PTRACE_SEIZE, victim.pid, NULL, NULL), 0));
	snprintf(tracer, sizeof(tracer), "a debugger (pid %d)", getpid());
	assert_refused(victim.pid, HP_TRACED, tracer, tracer);

	/* Stopped by its tracer is traced, and not the tracer's user's to continue. */
	cr_assert(eq(int, (int)ptrace(PTRACE_INTERRUPT, victim.pid, NULL, NULL), 0));
	victim_await_state(&victim, "t");
	assert_refused(victim.pid, HP_TRACED, tracer, tracer);
	victim_end(&victim);
}

static void enter_strict_seccomp(void *argument)
{
	char byte;

	prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
	if (read(*(int *)argument, &byte, 1) >= 0)
		syscall(SYS_exit, 0);
}

static void enter_seccomp_filter(void *argument)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = {1, &allow};

	(void)argument;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static bool await_in_status(pid_t pid, const char *wanted)
{
	char path[64], text[4096] = "";

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	for (int i = 0; i < 1000 && !strstr(text, wanted); i++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t got = read(fd, text, sizeof(text) - 1);

		text[got > 0 ? got : 0] = '\0';
		close(fd);
		usleep(2000);
	}
	return strstr(text, wanted) != NULL;
}

static void assert_seccomp_refused(void (*enter)(void *), const char *in_status,
				   const char *says)
{
	int pipefd[2];

	cr_assert(eq(int, pipe(pipefd), 0));
	struct victim victim = victim_fork(enter, &pipefd[0]);
	if (!await_in_status(victim.pid, in_status)) {
		victim_end(&victim);
		cr_skip("this kernel has no such seccomp mode");
	}
	assert_refused(victim.pid, HP_UNSUPPORTED, says, "without seccomp");
	victim_end(&victim);
}

Test(obstacles, strict_seccomp)
{
	assert_seccomp_refused(enter_strict_seccomp, "Seccomp:\t1", "seccomp's strict mode");
}

Test(obstacles, a_seccomp_filter)
{
	assert_seccomp_refused(enter_seccomp_filter, "Seccomp:\t2", "under a seccomp filter");
}

Test(obstacles, a_kernel_thread)
{
	char comm[32] = "";
	int fd = open("/proc/2/comm", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, comm, sizeof(comm) - 1) <= 0 || strcmp(comm, "kthreadd\n") != 0)
		cr_skip("no kernel thread is to be seen here (a container)");
	close(fd);
	assert_refused(2, HP_NOT_PYTHON, "is a kernel thread", "");
}

Test(obstacles, all_of_them_are_listed)
{
	struct victim victim = victim_fork(stop_self, NULL);
	struct hp_err all[8];

	victim_await_state(&victim, "T");
	cr_assert(eq(sz, target_obstacles(victim.pid, all, 8), 2));
	cr_assert(eq(int, all[0].kind, HP_STOPPED));
	cr_assert(eq(int, all[1].kind, HP_NOT_PYTHON), "%s", all[1].text);
	cr_assert(eq(sz, target_obstacles(victim.pid, all, 1), 1));
	cr_assert(eq(sz, target_obstacles(victim.pid, all, 0), 0));
	victim_end(&victim);
}

Test(obstacles, a_healthy_python_has_none)
{
	const char *argv[] = {interpreter_any().path, "-c",
			      "import sys; print('up'); sys.stdout.flush(); sys.stdin.read()",
			      NULL};
	struct interpreter python = interpreter_any();
	struct hp_err all[8];
	char line[16];

	argv[0] = python.path;
	struct victim victim = victim_spawn(argv, NULL);
	victim_read_line(&victim, line, sizeof(line));
	cr_assert(eq(sz, target_obstacles(victim.pid, all, 8), 0), "%s", all[0].text);
	victim_end(&victim);
}

/* Runs in a child that is nobody: what does it hear about pid? Sent back as raw bytes. */
static struct hp_err hear_as_nobody(pid_t pid)
{
	struct hp_err err = {0};
	int pipefd[2];

	cr_assert(eq(int, pipe(pipefd), 0));
	pid_t child = fork();
	if (!child) {
		struct target target;

		if (geteuid() == 0 && setresuid(SOMEBODY, SOMEBODY, SOMEBODY) < 0)
			_exit(1);
		if (target_describe(&target, pid, TARGET_FULL, &err) == 0)
			_exit(2);
		if (write(pipefd[1], &err, sizeof(err)) != (ssize_t)sizeof(err))
			_exit(3);
		_exit(0);
	}
	int status = -1;
	waitpid(child, &status, 0);
	cr_assert(eq(int, status, 0));
	cr_assert(eq(int, (int)read(pipefd[0], &err, sizeof(err)), (int)sizeof(err)));
	return err;
}

Test(obstacles, another_users_process)
{
	struct victim victim = victim_fork(nothing, NULL);
	pid_t pid = geteuid() == 0 ? victim.pid : 1;
	struct hp_err err = hear_as_nobody(pid);
	char advice[64];

	cr_assert(eq(int, err.kind, HP_PERMISSION), "%s", err.text);
	cr_assert(ne(ptr, strstr(err.text, "belongs to root"), NULL), "%s", err.text);
	snprintf(advice, sizeof(advice), "sudo pyhotpatch attach %d", pid);
	cr_assert(eq(str, hp_err_hint_of(&err), advice));
	victim_end(&victim);
}

static void become_undumpable(void *argument)
{
	if (geteuid() == 0 && setresuid(SOMEBODY, SOMEBODY, SOMEBODY) < 0)
		_exit(1);
	prctl(PR_SET_DUMPABLE, 0);
	close(*(int *)argument);
}

Test(obstacles, a_protected_process_of_the_same_user)
{
	int pipefd[2];
	char byte;

	cr_assert(eq(int, pipe(pipefd), 0));
	struct victim victim = victim_fork(become_undumpable, &pipefd[1]);
	close(pipefd[1]);
	cr_assert(eq(int, (int)read(pipefd[0], &byte, 1), 0)); /* it is ready when it closes */
	struct hp_err err = hear_as_nobody(victim.pid);
	cr_assert(eq(int, err.kind, HP_PERMISSION), "%s", err.text);
	cr_assert(ne(ptr, strstr(err.text, "not dumpable"), NULL), "%s", err.text);
	cr_assert(ne(ptr, strstr(hp_err_hint_of(&err), "sudo pyhotpatch attach"), NULL));
	victim_end(&victim);
}

/* A folder that looks like /proc as far as the diagnosis looks. */
struct fake_proc {
	char root[64];
};

static void put(const struct fake_proc *fake, const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", fake->root, name);
	for (char *slash = path + strlen(fake->root) + 1; (slash = strchr(slash, '/'));
	     slash++) {
		*slash = '\0';
		mkdir(path, 0700);
		*slash = '/';
	}
	FILE *file = fopen(path, "we");
	cr_assert(ne(ptr, file, NULL), "%s", path);
	fputs(text, file);
	fclose(file);
}

static void put_status(const struct fake_proc *fake, pid_t pid, const char *caps)
{
	char name[64], text[1024];

	snprintf(text, sizeof(text),
		 "Name:\tfake\nState:\tS (sleeping)\nTgid:\t%d\nPPid:\t1\nTracerPid:\t0\n"
		 "Uid:\t7\t7\t7\t7\nGid:\t7\t7\t7\t7\nThreads:\t1\nSigBlk:\t0\n"
		 "CapPrm:\t%s\nCapEff:\t%s\n",
		 pid, caps, caps);
	snprintf(name, sizeof(name), "%d/status", pid);
	put(fake, name, text);
	snprintf(name, sizeof(name), "%d/maps", pid);
	put(fake, name, "");
}

static void remove_fake(const struct fake_proc *fake)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", fake->root);
	cr_assert(eq(int, system(command), 0));
	unsetenv("HP_PROC_ROOT");
}

/* Why the kernel said no to us, who have these capabilities, about a process of our own user.
 */
static struct hp_err diagnose_fake(const char *yama, const char *our_caps, const char *its_caps)
{
	struct fake_proc fake = {"/tmp/test_proc_XXXXXX"};
	struct target target = {.pid = 4194305, .pidfd = -1};
	struct hp_err err = {0};

	cr_assert(ne(ptr, mkdtemp(fake.root), NULL));
	setenv("HP_PROC_ROOT", fake.root, 1);
	put_status(&fake, getpid(), our_caps);
	put_status(&fake, target.pid, its_caps);
	if (yama)
		put(&fake, "sys/kernel/yama/ptrace_scope", yama);
	cr_assert(eq(int, procfs_open(&target.procfd, target.pid, &err), 0));
	cr_assert(eq(int, proc_status_read(&target.status, target.procfd, "status", &err), 0));
	cr_assert(eq(int, target_diagnose_eperm(&target, "attach", &err), -1));
	cr_assert(eq(int, err.kind, HP_PERMISSION));
	close(target.procfd);
	remove_fake(&fake);
	return err;
}

Test(obstacles, yama_is_told_by_its_level)
{
	static const char none[] = "0", all[] = "1ffffffffff";
	struct hp_err err = diagnose_fake("1\n", none, none);

	cr_assert(ne(ptr, strstr(err.text, "Yama's ptrace_scope is 1"), NULL), "%s", err.text);
	err = diagnose_fake("2\n", none, none);
	cr_assert(ne(ptr, strstr(err.text, "Yama's ptrace_scope is 2"), NULL), "%s", err.text);
	/* Level 3 binds root too, so sudo is no remedy. */
	err = diagnose_fake("3\n", all, none);
	cr_assert(ne(ptr, strstr(err.text, "ptrace_scope is 3"), NULL), "%s", err.text);
	cr_assert(eq(ptr, strstr(hp_err_hint_of(&err), "sudo"), NULL), "%s",
		  hp_err_hint_of(&err));
	/* With the capability, or without Yama, it is not Yama. */
	err = diagnose_fake("1\n", all, none);
	cr_assert(eq(ptr, strstr(err.text, "Yama"), NULL), "%s", err.text);
	err = diagnose_fake(NULL, none, none);
	cr_assert(eq(ptr, strstr(err.text, "Yama"), NULL), "%s", err.text);
	err = diagnose_fake("garbage\n", none, none);
	cr_assert(eq(ptr, strstr(err.text, "Yama"), NULL), "%s", err.text);
}

Test(obstacles, capabilities_are_told)
{
	struct hp_err err = diagnose_fake("0\n", "0", "400");

	cr_assert(ne(ptr, strstr(err.text, "capabilities that you have not"), NULL), "%s",
		  err.text);
}
