/* SPDX-License-Identifier: MIT
 *
 * pyhotpatch is killed at each of its steps: it runs under a tracer of ours, which ends it at
 * the Nth system call stop (entry or exit) after its PTRACE_SEIZE, for every N until it gets
 * through.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/deadline.h"
#include "tests/integration/campaign.h"
#include "tests/integration/pytarget.h"
#include "tests/integration/snapshot.h"
#include "tests/integration/survival.h"

#define STEPS_MAX   3000
#define FRESH_AFTER 30 /* steps, where attaches become slower and slower */

/* Between the note that a thread is sent into the payload and its new registers, nobody can
 * tell whether it was: what is there stays. And while a thread of ours sleeps yet, the next
 * attach makes another: a stack and an arena more, once. */
#define UNCLEAR_STEPS 6

static struct pytarget target;
static struct snapshot before, after;
/* Without a memfd nothing tells the next attach what is there. */
static bool leaves_memory;
/* The steps that count are those from this PTRACE_SEIZE on. */
static int first_seize = 1;

static void stop(void)
{
	pytarget_stop(&target);
}

static pid_t start_traced(pid_t pid)
{
	char number[16];
	pid_t child = fork();

	if (child == 0) {
		snprintf(number, sizeof(number), "%d", pid);
		if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
			_exit(126);
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		execl(pyhotpatch_path(), "pyhotpatch", "attach", number, (char *)NULL);
		_exit(127);
	}
	return child;
}

/* Counts the PTRACE_SEIZE that the child begins; what[] says where it stands. */
static int look(pid_t child, int seizes, char *what, size_t size)
{
	struct __ptrace_syscall_info info = {0};

	ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof(info), &info);
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY) {
		if (seizes > 0)
			snprintf(what + strlen(what), size - strlen(what), ", done");
		return seizes;
	}
	snprintf(what, size, "system call %llu (%llx, ...)", (unsigned long long)info.entry.nr,
		 (unsigned long long)info.entry.args[0]);
	return seizes + (info.entry.nr == SYS_ptrace && info.entry.args[0] == PTRACE_SEIZE);
}

/* Run the program and kill it at its stop number `step`; false when it got through before. */
static bool kill_at(int step, char *what, size_t size)
{
	pid_t child = start_traced(target.pid);
	int status, count = 0, signal = 0, seizes = 0;

	waitpid(child, &status, 0);
	ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	while (ptrace(PTRACE_SYSCALL, child, 0, signal) == 0 &&
	       waitpid(child, &status, 0) == child) {
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			cr_assert(eq(int, status, 0), "it ended with wait status %x at step %d",
				  status, step);
			cr_assert(le(int, first_seize, seizes), "%d PTRACE_SEIZE were seen",
				  seizes);
			return false;
		}
		signal = WSTOPSIG(status) == (SIGTRAP | 0x80) ? 0 : WSTOPSIG(status);
		if (signal != 0)
			continue;
		seizes = look(child, seizes, what, size);
		if (seizes >= first_seize && ++count == step) {
			kill(child, SIGKILL);
			waitpid(child, &status, 0);
			return true;
		}
	}
	cr_fatal("lost the program at step %d", step);
	return false;
}

/* Whether the attach after the kill has removed what the killed one left; says what not. */
static bool is_left_as_found(const char *when, int step)
{
	static char text[8192];

	snapshot_take(&after, target.pid);
	snapshot_compare(text, sizeof(text), &before, &after);
	if (text[0] != '\0') {
		printf("step %d, %s: %s", step, when, text);
		fflush(stdout); /* else the next child writes it once more */
		before = after;
	}
	return text[0] == '\0';
}

static void kill_at_each_step(const struct interpreter *python, const char *script,
			      const char *mode, int stride)
{
	struct survival survival = {0};
	char what[128] = "";
	int step = 1 + (int)(clock_now_ns() / 1000 % stride), killed = 0, unclear = 0;
	int allowed = UNCLEAR_STEPS;

	if (!python)
		cr_skip_test("no such CPython 3.7 to 3.15 on this machine");
	survival_start(&survival, &target, python, script, mode);
	snapshot_take(&before, target.pid);
	for (; step < STEPS_MAX; step += stride, killed++) {
		if (interpreter_never_frees(python) &&
		    killed % FRESH_AFTER == FRESH_AFTER - 1) {
			pytarget_stop(&target);
			survival_start(&survival, &target, python, script, mode);
			snapshot_take(&before, target.pid);
			allowed++; /* two workers at once, once, leave two arenas */
		}
		pytarget_edit(&target);
		if (!kill_at(step, what, sizeof(what)))
			break;
		survival_check(&survival, "killed at step %d, %s", step, what);
		unclear += !is_left_as_found(what, step);
	}
	cr_assert(lt(int, 20, step), "only %d steps were seen", step);
	cr_assert(le(int, unclear, leaves_memory ? step : allowed),
		  "after %d steps something stayed", unclear);
	printf("%s: killed at %d of %d steps: %d times it was new, %d times old, after %d "
	       "something stayed\n",
	       target.label, killed, step - 1, survival.was_new, survival.was_old, unclear);
}

Test(kill_steps, idle, .fini = stop, .timeout = 3000)
{
	kill_at_each_step(interpreters_newest(), "idle.py", "sleep", 1);
}

Test(kill_steps, idle_other_interpreter, .fini = stop, .timeout = 3000)
{
	kill_at_each_step(interpreters_other(), "idle.py", "epoll", 1);
}

Test(kill_steps, busy, .fini = stop, .timeout = 3000)
{
	kill_at_each_step(interpreters_other(), "busy.py", "python", 1);
}

Test(kill_steps, threads, .fini = stop, .timeout = 3000)
{
	kill_at_each_step(interpreters_newest(), "idle.py", "threads", 1);
}

/* Without a memfd there is no lock that passes on: the other way of everything. */
Test(kill_steps, no_memfd, .fini = stop, .timeout = 3000)
{
	if (geteuid() != 0)
		cr_skip_test("it takes root to do without a memfd");
	if (interpreters_newest() && !interpreters_newest()->ctypes)
		cr_skip_test(
			"the target confines itself by ctypes, which this CPython has not");
	leaves_memory = true;
	kill_at_each_step(interpreters_newest(), "confined.py", "no-memfd-exec",
			  campaign_size(1, 5));
}

Test(kill_steps, debug_build, .fini = stop, .timeout = 3000)
{
	kill_at_each_step(interpreters_debug(), "idle.py", "poll", campaign_size(1, 4));
}

/* The second thread that is stopped is the one that serves. Each attach takes long here. */
Test(kill_steps, holder_of_the_gil, .fini = stop, .timeout = 3000)
{
	const struct interpreter *python = interpreters_embeddable();

	first_seize = 2;
	kill_at_each_step(python, NULL, "main", campaign_size(1, 6));
}
