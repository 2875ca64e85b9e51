/* SPDX-License-Identifier: MIT
 *
 * The hijack on real threads: what they were doing goes on, exactly, whether we restore them or
 * are killed in the middle. The victims are forked from this process, so that they share its
 * libc.
 */
#include <errno.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/cleanup.h"
#include "inject/proc/procfs.h"
#include "inject/trace/tracee.h"
#include "tests/trace/churn.h"

/* What a victim reports, in memory shared with the test. */
struct shared {
	volatile int ready, stop;
	volatile long result, error;
	volatile int64_t elapsed_ns;
	volatile uint64_t rounds, wrong;
};

static struct shared *shared;

static void make_shared(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	cr_assert(ne(ptr, shared, MAP_FAILED));
}

TestSuite(tracee, .init = make_shared, .timeout = 60);

/* ---- gadgets of our own libc, which the victims share ---- */

struct needle {
	const char *bytes;
	size_t len;
	uint64_t found;
};

static int search_libc(struct dl_phdr_info *info, size_t size, void *data)
{
	struct needle *needle = data;

	(void)size;
	if (!strstr(info->dlpi_name, "libc.so"))
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		const char *text = (const char *)(info->dlpi_addr + p->p_vaddr);

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
			continue;
		const char *at = memmem(text, p->p_memsz, needle->bytes, needle->len);
		if (at)
			needle->found = (uint64_t)(uintptr_t)at;
	}
	return 1;
}

static remote_addr gadget(const char *bytes, size_t len)
{
	struct needle needle = {bytes, len, 0};

	dl_iterate_phdr(search_libc, &needle);
	cr_assert(ne(u64, needle.found, 0));
	return addr_of(needle.found);
}

static struct target target_of(pid_t pid)
{
	struct target target = {.pid = pid, .procfd = -1, .pidfd = -1};
	struct hp_err err;

	target.libc.restore_rt = gadget("\x48\xc7\xc0\x0f\0\0\0\x0f\x05", 9);
	target.libc.syscall_ret = gadget("\x0f\x05\xc3", 3);
	cr_assert(eq(int, procfs_open(&target.procfd, pid, &err), 0));
	cr_assert(eq(int, maps_read(&target.maps, target.procfd, &err), 0));
	return target;
}

static pid_t spawn(void (*victim)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		victim();
		_exit(0);
	}
	while (!shared->ready)
		usleep(100);
	usleep(20000); /* into its call */
	return pid;
}

static int wait_victim(pid_t pid)
{
	int status;

	cr_assert(eq(int, waitpid(pid, &status, 0), pid));
	return status;
}

/* Stop pid, run some system calls on it, put it back. */
static void disturb(const struct target *target)
{
	const uint64_t none[6] = {0};
	struct tracee tracee;
	struct hp_err err = {0};
	int64_t result = -1;
	struct deadline deadline = deadline_after_ns(5000000000);

	cr_assert(eq(int, tracee_stop(&tracee, target, target->pid, deadline, &err), TRACEE_OK),
		  "%s", err.text);
	cr_assert(eq(int, tracee_hijack(&tracee, TRACEE_ROOM, &err), 0), "%s", err.text);
	for (int i = 0; i < 3; i++) {
		cr_assert(eq(int,
			     tracee_syscall(&result, &tracee, SYS_getpid, none, deadline, &err),
			     0),
			  "%s", err.text);
		cr_assert(eq(i64, result, target->pid));
	}
	cr_assert(eq(int, tracee_release(&tracee, &err), 0), "%s", err.text);
}

/* ---- calls that go on ---- */

static int64_t now_ns(void)
{
	return clock_now_ns();
}

static void sleeps_half_a_second(void)
{
	const struct timespec ts = {.tv_nsec = 500000000};
	int64_t began = now_ns();

	shared->ready = 1;
	shared->result = clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
	shared->elapsed_ns = now_ns() - began;
}

/* The system call that the victim waits in, as soon as it does. */
static long waits_in(const struct target *target)
{
	for (int i = 0; i < 1000; i++) {
		_cleanup_free_ char *line = NULL;
		struct hp_err err = {0};
		size_t len;

		cr_assert(eq(int, procfs_read(&line, &len, target->procfd, "syscall", &err), 0),
			  "%s", err.text);
		if (line[0] >= '0' && line[0] <= '9')
			return strtol(line, NULL, 10);
		usleep(1000); /* "running" */
	}
	return -1;
}

/* restart_syscall has the time at which the wait ends; issued anew, it would begin from there
 * with its whole time. */
Test(tracee, a_relative_sleep_lasts_as_long_as_it_would_have)
{
	pid_t pid = spawn(sleeps_half_a_second);
	_cleanup_(target_fini) struct target target = target_of(pid);

	for (int i = 0; i < 4; i++) {
		disturb(&target);
		cr_assert(eq(long, waits_in(&target), SYS_restart_syscall));
		usleep(10000);
	}
	wait_victim(pid);
	cr_assert(eq(long, shared->result, 0), "clock_nanosleep returned %ld", shared->result);
	cr_assert(ge(i64, shared->elapsed_ns, 500000000));
}

static int pipe_fds[2];

static void reads_a_pipe(void)
{
	char c;

	shared->ready = 1;
	shared->result = read(pipe_fds[0], &c, 1);
	shared->error = errno;
}

Test(tracee, a_blocked_read_goes_on)
{
	cr_assert(eq(int, pipe(pipe_fds), 0));
	pid_t pid = spawn(reads_a_pipe);
	_cleanup_(target_fini) struct target target = target_of(pid);

	disturb(&target);
	disturb(&target);
	cr_assert(eq(int, (int)write(pipe_fds[1], "x", 1), 1));
	wait_victim(pid);
	cr_assert(eq(long, shared->result, 1));
}

static void waits_for_epoll(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	int fd = epoll_create1(0);

	epoll_ctl(fd, EPOLL_CTL_ADD, pipe_fds[0], &event);
	shared->ready = 1;
	shared->result = epoll_wait(fd, &event, 1, -1);
	shared->error = errno;
}

Test(tracee, an_endless_epoll_wait_does_not_return_eintr)
{
	cr_assert(eq(int, pipe(pipe_fds), 0));
	pid_t pid = spawn(waits_for_epoll);
	_cleanup_(target_fini) struct target target = target_of(pid);

	disturb(&target);
	disturb(&target);
	cr_assert(eq(int, (int)write(pipe_fds[1], "x", 1), 1));
	wait_victim(pid);
	cr_assert(eq(long, shared->result, 1), "errno %ld", shared->error);
}

static volatile int handled;

static void on_usr1(int signal)
{
	(void)signal;
	handled++;
}

static void reads_with_a_handler(void)
{
	struct sigaction action = {.sa_handler = on_usr1}; /* no SA_RESTART */
	char c;

	sigaction(SIGUSR1, &action, NULL);
	shared->ready = 1;
	shared->result = read(pipe_fds[0], &c, 1);
	shared->error = errno;
	shared->rounds = (uint64_t)handled;
}

Test(tracee, a_signal_that_came_meanwhile_is_delivered_and_interrupts_the_call)
{
	const uint64_t none[6] = {0};
	struct deadline deadline = deadline_after_ns(5000000000);
	struct tracee tracee;
	struct hp_err err = {0};
	int64_t result;

	cr_assert(eq(int, pipe(pipe_fds), 0));
	pid_t pid = spawn(reads_with_a_handler);
	_cleanup_(target_fini) struct target target = target_of(pid);
	cr_assert(eq(int, tracee_stop(&tracee, &target, pid, deadline, &err), TRACEE_OK));
	cr_assert(eq(int, tracee_hijack(&tracee, TRACEE_ROOM, &err), 0));
	cr_assert(
		eq(int, tracee_syscall(&result, &tracee, SYS_getpid, none, deadline, &err), 0));
	kill(pid, SIGUSR1);
	cr_assert(
		eq(int, tracee_syscall(&result, &tracee, SYS_getpid, none, deadline, &err), 0));
	cr_assert(eq(int, tracee_release(&tracee, &err), 0), "%s", err.text);
	cr_assert(eq(int, WEXITSTATUS(wait_victim(pid)), 0));
	cr_assert(eq(long, shared->result, -1));
	cr_assert(eq(long, shared->error, EINTR));
	cr_assert(eq(u64, shared->rounds, 1));
}

/* On a loaded machine the signal may take longer than one thinks. */
static void await_stopped(const struct target *target)
{
	struct proc_status status = {0};
	struct hp_err err;

	for (int i = 0; i < 5000 && status.state != 'T'; i++) {
		usleep(1000);
		cr_assert(eq(int, proc_status_read(&status, target->procfd, "status", &err), 0),
			  "%s", err.text);
	}
	cr_assert(eq(chr, status.state, 'T'));
}

Test(tracee, a_stopped_process_is_refused_and_stays_stopped)
{
	cr_assert(eq(int, pipe(pipe_fds), 0));
	pid_t pid = spawn(reads_a_pipe);
	_cleanup_(target_fini) struct target target = target_of(pid);
	struct proc_status status;
	struct tracee tracee;
	struct hp_err err;

	kill(pid, SIGSTOP);
	await_stopped(&target);
	cr_assert(eq(int,
		     tracee_stop(&tracee, &target, pid, deadline_after_ns(1000000000), &err),
		     -1));
	cr_assert(eq(int, err.kind, HP_STOPPED));
	usleep(20000);
	cr_assert(eq(int, proc_status_read(&status, target.procfd, "status", &err), 0));
	cr_assert(eq(chr, status.state, 'T'));
	cr_assert(eq(int, status.tracer, 0));
	kill(pid, SIGKILL);
	wait_victim(pid);
}

/* Before the calls, between them, and behind the last. */
Test(tracee, sigstop_that_comes_meanwhile_stops_the_process_behind_us)
{
	for (int calls = 0; calls < 4; calls++) {
		struct deadline deadline = deadline_after_ns(5000000000);
		const uint64_t none[6] = {0};
		struct tracee tracee;
		struct hp_err err = {0};
		int64_t result;

		shared->ready = 0;
		cr_assert(eq(int, pipe(pipe_fds), 0));
		pid_t pid = spawn(reads_a_pipe);
		_cleanup_(target_fini) struct target target = target_of(pid);
		cr_assert(eq(int, tracee_stop(&tracee, &target, pid, deadline, &err), 0));
		cr_assert(eq(int, tracee_hijack(&tracee, TRACEE_ROOM, &err), 0));
		for (int i = 0; i <= 3; i++) {
			if (i == calls)
				kill(pid, SIGSTOP);
			cr_assert(i == 3 || !tracee_syscall(&result, &tracee, SYS_getpid, none,
							    deadline, &err),
				  "%s", err.text);
		}
		cr_assert(eq(int, tracee_release(&tracee, &err), 0), "%s", err.text);
		await_stopped(&target);
		kill(pid, SIGCONT);
		cr_assert(eq(int, (int)write(pipe_fds[1], "x", 1), 1));
		wait_victim(pid);
		cr_assert(eq(long, shared->result, 1));
	}
}

Test(tracee, a_call_that_blocks_is_taken_back)
{
	const uint64_t pause_args[6] = {0};
	struct tracee tracee;
	struct hp_err err;
	int64_t result;

	cr_assert(eq(int, pipe(pipe_fds), 0));
	pid_t pid = spawn(reads_a_pipe);
	_cleanup_(target_fini) struct target target = target_of(pid);
	cr_assert(eq(int,
		     tracee_stop(&tracee, &target, pid, deadline_after_ns(1000000000), &err),
		     TRACEE_OK));
	cr_assert(eq(int, tracee_hijack(&tracee, TRACEE_ROOM, &err), 0));
	cr_assert(eq(int,
		     tracee_syscall(&result, &tracee, SYS_pause, pause_args,
				    deadline_after_ns(50000000), &err),
		     -1));
	cr_assert(eq(int, err.kind, HP_TIMEOUT));
	cr_assert(eq(int, tracee_release(&tracee, &err), 0), "%s", err.text);
	cr_assert(eq(int, (int)write(pipe_fds[1], "x", 1), 1));
	wait_victim(pid);
	cr_assert(eq(long, shared->result, 1));
}

/* ---- registers, vectors, mask, alternate stack ---- */

static char alternate[65536];

static void churns(void)
{
	const stack_t stack = {.ss_sp = alternate, .ss_size = sizeof(alternate)};
	sigset_t blocked, now;
	const uint64_t expected = churn(42);

	sigaltstack(&stack, NULL);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR2);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
	shared->ready = 1;
	while (!shared->stop) {
		stack_t found;

		if (churn(42) != expected)
			shared->wrong++;
		sigprocmask(SIG_SETMASK, NULL, &now);
		if (memcmp(&now, &blocked, sizeof(unsigned long)) != 0)
			shared->wrong += 1000000;
		if (sigaltstack(NULL, &found) != 0 || found.ss_sp != alternate ||
		    found.ss_flags)
			shared->wrong += 1000000000;
		shared->rounds++;
	}
}

static void end_churning(pid_t pid)
{
	uint64_t rounds = shared->rounds;

	for (int i = 0; i < 100 && shared->rounds == rounds; i++)
		usleep(50000);
	cr_assert(lt(u64, rounds, shared->rounds), "the victim does not go on");
	shared->stop = 1;
	cr_assert(eq(int, wait_victim(pid), 0));
	cr_assert(eq(u64, shared->wrong, 0));
}

Test(tracee, registers_vectors_mask_and_alternate_stack_are_as_before)
{
	pid_t pid = spawn(churns);
	_cleanup_(target_fini) struct target target = target_of(pid);

	for (int i = 0; i < 300; i++)
		disturb(&target);
	end_churning(pid);
}

static volatile sig_atomic_t ticks;

static void on_tick(int signal)
{
	/* not the address of a variable, which AddressSanitizer has elsewhere */
	const char *here = __builtin_frame_address(0);

	(void)signal;
	ticks += here > alternate && here < alternate + sizeof(alternate);
}

/* The same with a handler 2000 times a second, on the alternate stack. */
static void churns_under_signals(void)
{
	const struct sigaction action = {.sa_handler = on_tick,
					 .sa_flags = SA_ONSTACK | SA_RESTART};
	const struct itimerval often = {{0, 500}, {0, 500}};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	churns();
	shared->result = ticks;
}

Test(tracee, signals_at_2_khz_find_the_alternate_stack)
{
	pid_t pid = spawn(churns_under_signals);
	_cleanup_(target_fini) struct target target = target_of(pid);

	for (int i = 0; i < 300; i++)
		disturb(&target);
	end_churning(pid);
	cr_assert(lt(long, 20, shared->result), "%ld signals were handled", shared->result);
}

static void disturb_for_ever(const struct target *target)
{
	for (;;)
		disturb(target);
}

/* The tracer is killed at random instants; whatever it was at, the victim must go on, correct.
 */
Test(tracee, the_victim_survives_the_death_of_its_tracer)
{
	pid_t pid = spawn(churns);
	_cleanup_(target_fini) struct target target = target_of(pid);

	srand(7);
	for (int i = 0; i < 400; i++) {
		pid_t tracer = fork();

		if (tracer == 0) {
			disturb_for_ever(&target);
			_exit(0);
		}
		usleep((useconds_t)(200 + rand() % 3000));
		kill(tracer, SIGKILL);
		int status;
		waitpid(tracer, &status, 0);
		cr_assert(eq(int, waitpid(pid, &status, WNOHANG), 0), "victim died, round %d",
			  i);
	}
	end_churning(pid);
}
