/* SPDX-License-Identifier: MIT
 *
 * Each state of a process that stands in the way: its kind, the sentence, the remedy.
 */
#include <errno.h>
#include <fcntl.h>
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

static void nothing(void *argument)
{
	(void)argument;
}

/* The first obstacle of attaching to pid must be of that kind, and say and advise this. */
static void assert_refused(pid_t pid, enum hp_obstacle obstacle, const char *says,
			   const char *advises)
{
	struct target target;
	struct hp_err err = {0}, all[8];

	cr_assert(eq(int, target_describe(&target, pid, TARGET_FULL, &err), -1));
	cr_assert(eq(int, err.obstacle, obstacle), "%s", err.text);
	cr_assert(eq(int, err.kind, hp_obstacle_kind(obstacle)));
	cr_assert(ne(ptr, strstr(err.text, says), NULL), "\"%s\" does not say \"%s\"", err.text,
		  says);
	cr_assert(ne(ptr, strstr(hp_err_hint_of(&err), advises), NULL),
		  "\"%s\" does not advise \"%s\"", hp_err_hint_of(&err), advises);
	cr_assert(lt(sz, 0, target_obstacles(pid, all, 8)));
	cr_assert(eq(int, all[0].obstacle, obstacle));
	cr_assert(eq(str, all[0].text, err.text));
}

Test(obstacles, no_such_process)
{
	struct victim victim = victim_fork(nothing, NULL);
	pid_t pid = victim.pid;

	victim_end(&victim);
	assert_refused(pid, OBSTACLE_GONE, "there is no process", "check the pid");
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
	assert_refused(tid, OBSTACLE_THREAD, "is a thread of process", advice);
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
	assert_refused(victim.pid, OBSTACLE_ZOMBIE, "is a zombie", parent);
	victim_end(&victim);
}

static void *live_on(void *argument)
{
	for (;;)
		pause();
	return argument;
}

static void end_main_thread(void *argument)
{
	pthread_t thread;

	(void)argument;
	if (pthread_create(&thread, NULL, live_on, NULL) == 0)
		syscall(SYS_exit, 0); /* of this thread alone */
}

Test(obstacles, a_process_whose_main_thread_has_ended)
{
	struct victim victim = victim_fork(end_main_thread, NULL);

	victim_await_state(&victim, "Z");
	assert_refused(victim.pid, OBSTACLE_MAIN_ENDED, "the main thread", "restart");
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
	assert_refused(victim.pid, OBSTACLE_STOPPED, "is stopped", advice);
	victim_end(&victim);
}

Test(obstacles, a_traced_process_names_its_tracer)
{
	struct victim victim = victim_fork(nothing, NULL);
	char tracer[64];

	prctl(PR_SET_NAME, "a debugger", 0, 0, 0);
	cr_assert(eq(int, (int)ptrace(PTRACE_SEIZE, victim.pid, NULL, NULL), 0));
	snprintf(tracer, sizeof(tracer), "a debugger (pid %d)", getpid());
	assert_refused(victim.pid, OBSTACLE_TRACED, tracer, tracer);

	/* Stopped by its tracer is traced, and not the tracer's user's to continue. */
	cr_assert(eq(int, (int)ptrace(PTRACE_INTERRUPT, victim.pid, NULL, NULL), 0));
	victim_await_state(&victim, "t");
	assert_refused(victim.pid, OBSTACLE_TRACED, tracer, tracer);
	victim_end(&victim);
}

static void enter_strict_seccomp(void *argument)
{
	char byte;

	prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
	if (read(*(int *)argument, &byte, 1) >= 0)
		syscall(SYS_exit, 0);
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

Test(obstacles, strict_seccomp)
{
	int pipefd[2];

	cr_assert(eq(int, pipe(pipefd), 0));
	struct victim victim = victim_fork(enter_strict_seccomp, &pipefd[0]);
	if (!await_in_status(victim.pid, "Seccomp:\t1")) {
		victim_end(&victim);
		cr_skip("this kernel has no strict mode");
	}
	assert_refused(victim.pid, OBSTACLE_SECCOMP_STRICT, "seccomp's strict mode", "without");
	victim_end(&victim);
}

Test(obstacles, a_kernel_thread)
{
	char comm[32] = "";
	int fd = open("/proc/2/comm", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, comm, sizeof(comm) - 1) <= 0 || strcmp(comm, "kthreadd\n") != 0)
		cr_skip("no kernel thread is to be seen here (a container)");
	close(fd);
	assert_refused(2, OBSTACLE_KERNEL, "is a kernel thread", "");
}

Test(obstacles, all_of_them_are_listed)
{
	struct victim victim = victim_fork(stop_self, NULL);
	struct hp_err all[8];

	victim_await_state(&victim, "T");
	cr_assert(eq(sz, target_obstacles(victim.pid, all, 8), 2));
	cr_assert(eq(int, all[0].obstacle, OBSTACLE_STOPPED));
	cr_assert(eq(int, all[1].obstacle, OBSTACLE_NOT_PYTHON), "%s", all[1].text);
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
