/* SPDX-License-Identifier: MIT
 *
 * Victims that wait under a seccomp filter which kills for restart_syscall: each way in which a
 * stopped thread can be let go must lead back into the wait all the same.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/cleanup.h"
#include "inject/proc/procfs.h"
#include "inject/trace/tracee.h"
#include "tests/trace/victim.h"

TestSuite(restart, .timeout = 60);

#define SECOND 1000000000ll

static void forbid_restart(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_restart_syscall, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {sizeof(code) / sizeof(*code), code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		_exit(98);
}

/* It returns, when it does, but for a signal's handler: which it has not. */
static void waits(struct victim_shared *shared)
{
	forbid_restart();
	victim_ready(shared);
	poll(NULL, 0, 1000000);
	_exit(99);
}

static struct victim victim;
static struct target target;

static void start(void)
{
	victim_spawn(&victim, waits, true);
	victim_describe(&target, &victim);
}

static void stop(void)
{
	target_fini(&target);
	victim_end(&victim);
}

static struct deadline soon(void)
{
	return deadline_after_ns(5 * SECOND);
}

/* Where /proc says that the thread waits, as soon as it does. */
static bool is_in_poll(void)
{
	const char in_poll[] = "7 "; /* SYS_poll */

	for (int i = 0; i < 1000; i++) {
		_cleanup_free_ char *line = NULL;
		struct hp_err ignored;
		char name[48];
		size_t len;

		snprintf(name, sizeof(name), "task/%d/syscall", victim.tid);
		if (procfs_read(&line, &len, target.procfd, name, &ignored) == 0 &&
		    strncmp(line, in_poll, strlen(in_poll)) == 0)
			return true;
		usleep(1000);
	}
	return false;
}

static void expect_that_it_waits(void)
{
	int status = 0;

	cr_assert(is_in_poll(), "the victim does not wait any more");
	cr_assert(eq(int, waitpid(victim.pid, &status, WNOHANG), 0), "the victim ended: %#x",
		  (unsigned)status);
}

static void stop_it(struct tracee *tracee)
{
	struct hp_err err = {0};

	cr_assert(eq(int, tracee_stop(tracee, &target, victim.tid, soon(), &err), TRACEE_OK),
		  "%s", err.text);
}

static void release(struct tracee *tracee)
{
	struct hp_err err = {0};

	cr_assert(eq(int, tracee_release(tracee, &err), 0), "%s", err.text);
}

Test(restart, a_thread_that_is_of_no_use_waits_on, .init = start, .fini = stop)
{
	struct tracee tracee;

	for (int i = 0; i < 3; i++) {
		stop_it(&tracee);
		release(&tracee);
		expect_that_it_waits();
	}
}

Test(restart, a_thread_that_was_used_waits_on, .init = start, .fini = stop)
{
	const uint64_t none[6] = {0};
	struct tracee tracee;
	struct hp_err err = {0};
	int64_t result;

	stop_it(&tracee);
	cr_assert(eq(int, tracee_hijack(&tracee, TRACEE_ROOM, &err), 0), "%s", err.text);
	cr_assert(eq(int, tracee_syscall(&result, &tracee, SYS_getpid, none, soon(), &err), 0),
		  "%s", err.text);
	release(&tracee);
	expect_that_it_waits();
}

static void waits_for_us(struct victim_shared *shared)
{
	poll(NULL, 0, 200);
	shared->called = 1;
}

/* What was begun on the thread is let go in the middle, comes to its end and returns. */
Test(restart, a_call_that_waits_is_abandoned, .init = start, .fini = stop)
{
	const remote_addr call = addr_of((uint64_t)(uintptr_t)waits_for_us);
	const uint64_t shared = (uint64_t)(uintptr_t)victim.shared; /* mapped before the fork */
	struct tracee tracee;
	struct hp_err err = {0};

	stop_it(&tracee);
	cr_assert(eq(int, tracee_hijack(&tracee, TRACEE_ROOM, &err), 0), "%s", err.text);
	cr_assert(eq(int, tracee_call(&tracee, call, shared, &err), 0), "%s", err.text);
	expect_that_it_waits();
	tracee_abandon(&tracee);
	for (int i = 0; i < 3000 && !victim.shared->called; i++)
		usleep(1000);
	cr_assert(victim.shared->called);
	expect_that_it_waits();
}

/* It is asked to stop, but stops only when nobody waits for that any more. */
Test(restart, a_thread_that_stops_too_late_waits_on, .init = start, .fini = stop)
{
	int late = 0;

	for (int i = 0; i < 200; i++) {
		struct tracee tracee;
		struct hp_err err = {0};
		int r = tracee_stop(&tracee, &target, victim.tid, (struct deadline){0}, &err);

		if (r == TRACEE_OK)
			release(&tracee);
		else
			cr_assert(eq(int, err.kind, HP_TIMEOUT), "%s", err.text);
		late += r != TRACEE_OK;
		expect_that_it_waits();
	}
	cr_assert(lt(int, 0, late));
}

/* A signal that is ignored wakes who is traced (kernel/signal.c, sig_ignored()). */
Test(restart, a_signal_that_is_ignored_changes_nothing, .init = start, .fini = stop)
{
	struct tracee tracee;

	stop_it(&tracee);
	syscall(SYS_tgkill, victim.pid, victim.tid, SIGURG);
	release(&tracee);
	expect_that_it_waits();
}

Test(restart, a_thread_whose_tracer_died_waits_on, .init = start, .fini = stop)
{
	pid_t tracer = fork();
	int status;

	if (tracer == 0) {
		struct tracee tracee;
		struct hp_err err;

		_exit(tracee_stop(&tracee, &target, victim.tid, soon(), &err));
	}
	cr_assert(eq(int, waitpid(tracer, &status, 0), tracer));
	cr_assert(eq(int, status, TRACEE_OK));
	expect_that_it_waits();
}
