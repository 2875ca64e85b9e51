/* SPDX-License-Identifier: MIT
 *
 * Hostile conditions: each is served, or refused in a clear sentence with nothing changed, and
 * the process is left as found.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/err.h"
#include "tests/integration/pytarget.h"
#include "tests/integration/snapshot.h"

static struct pytarget target;
static struct snapshot before;
static struct run run;

static void stop(void)
{
	pytarget_stop(&target);
}

static const char *const vectors_mode[] = {"vectors", NULL};
static const char *const blocked_mode[] = {"blocked", NULL};

static void start_host(const struct case_param *param)
{
	pytarget_start_host(&target, &param->interpreter, param->mode);
	sleep_ms(100);
	snapshot_take(&before, target.pid);
}

ParameterizedTestParameters(conditions, a_computation_goes_on)
{
	return interpreters_library_params(vectors_mode);
}

/* The main thread makes the worker while it computes in its registers. */
ParameterizedTest(struct case_param *param, conditions, a_computation_goes_on, .fini = stop,
		  .timeout = 60)
{
	struct round round;

	start_host(param);
	for (int i = 1; i <= 3; i++) {
		pytarget_edit(&target);
		run_attach(&run, target.pid);
		expect_status(&target, &run, 0);
		pytarget_fresh(&target, &round);
		expect_version(&target, &round, i);
	}
	expect_left_as_found(&target, &before);
}

ParameterizedTestParameters(conditions, a_call_that_blocks)
{
	return interpreters_library_params(blocked_mode);
}

/* A thread that blocks every signal makes no thread of ours, but the worker by the payload's
 * code. pthread_create() does not return on the main thread, and has overwritten its vector
 * registers: that is taken back, and the other thread serves. */
ParameterizedTest(struct case_param *param, conditions, a_call_that_blocks, .fini = stop,
		  .timeout = 60)
{
	struct round round;

	start_host(param);
	pytarget_edit(&target);
	setenv("PYHOTPATCH_PAYLOAD", getenv("PAYLOAD_BLOCKING"), 1);
	run_attach(&run, target.pid);
	expect_status(&target, &run, 0);
	cr_assert(run.elapsed_ns > INT64_C(500000000), "nothing blocked: %s", run.out);
	pytarget_fresh(&target, &round);
	expect_version(&target, &round, 1);
	expect_left_as_found(&target, &before);
}

/* ---- served ---- */

static void start(const struct interpreter *python, const char *mode)
{
	if (!python)
		cr_skip_test("no such CPython on this machine");
	pytarget_start(&target, python, "conditions.py", mode, "0.06");
	sleep_ms(150);
	snapshot_take(&before, target.pid);
}

static const char *const served_modes[] = {"signals", "blocked", "frozen", "traced",
					   "deep",    "nested",  NULL};

ParameterizedTestParameters(conditions, served)
{
	return interpreters_params(served_modes);
}

ParameterizedTest(struct case_param *param, conditions, served, .fini = stop, .timeout = 60)
{
	struct round round;

	start(&param->interpreter, param->mode);
	for (int i = 1; i <= 2; i++) {
		pytarget_edit(&target);
		run_attach(&run, target.pid);
		expect_status(&target, &run, 0);
		pytarget_fresh(&target, &round);
		expect_version(&target, &round, i);
	}
	expect_left_as_found(&target, &before);
}

/* The alternate stack that faulthandler runs on was not lost. */
Test(conditions, faulthandler_still_works, .fini = stop, .timeout = 60)
{
	char text[4096];
	struct run dump;
	int status;

	if (!interpreters_newest())
		cr_skip_test("no CPython 3.7 to 3.15 on this machine");
	pytarget_start(&target, interpreters_newest(), "idle.py", "sleep", "0.2");
	pytarget_edit(&target);
	run_attach(&run, target.pid);
	expect_status(&target, &run, 0);
	kill(target.pid, SIGSEGV);
	cr_assert(eq(int, waitpid(target.pid, &status, 0), target.pid));
	target.pid = 0;
	snprintf(text, sizeof(text), "%s/stderr", target.dir);
	run_command(&dump, (const char *const[]){"cat", text, NULL}, 5000);
	expect_text(&dump, dump.out, "Segmentation fault");
	expect_text(&dump, dump.out, "idle.py");
}

/* ---- refused ---- */

static void expect_refused(enum hp_err_kind kind, const char *word)
{
	struct round round;

	pytarget_edit(&target);
	run_attach(&run, target.pid);
	expect_status(&target, &run, hp_err_exit_status(kind));
	expect_text(&run, run.err, word);
	pytarget_fresh(&target, &round);
	expect_version(&target, &round, 0);
	expect_left_as_found(&target, &before);
}

Test(conditions, an_audit_hook_that_vetoes, .fini = stop, .timeout = 60)
{
	start(interpreters_newest(), "audit");
	expect_refused(HP_REFUSED, "not here");
}

Test(conditions, no_descriptor_left, .fini = stop, .timeout = 60)
{
	start(interpreters_newest(), "nofile");
	expect_refused(HP_SYSTEM, "--nofile");
}

Test(conditions, no_address_space_left, .fini = stop, .timeout = 60)
{
	start(interpreters_newest(), "as");
	expect_refused(HP_SYSTEM, "--as");
}

Test(conditions, no_thread_left, .fini = stop, .timeout = 60)
{
	if (geteuid() != 0)
		cr_skip_test("only root can become a user whose threads are counted");
	start(interpreters_newest(), "nproc");
	expect_refused(HP_SYSTEM, "--nproc");
}

/* ---- the process changes under us ---- */

static void attach_while_it_holds(struct running *attach, const char *mode)
{
	const char *argv[] = {pyhotpatch_path(), "attach", target.number, NULL};

	start(interpreters_newest(), mode);
	pytarget_await(&target, "holding");
	pytarget_edit(&target);
	run_start(attach, argv);
}

Test(conditions, exec_in_the_middle, .fini = stop, .timeout = 60)
{
	struct running attach;
	struct round round;

	attach_while_it_holds(&attach, "exec");
	run_finish(&run, &attach, 20000);
	expect_status(&target, &run, hp_err_exit_status(HP_TARGET_DIED));
	pytarget_await(&target, "round 0 "); /* of the program that took its place */
	pytarget_next(&target, &round);
	cr_assert(eq(int, (int)round.number, 1), "%s", round.text);
}

Test(conditions, exit_in_the_middle, .fini = stop, .timeout = 60)
{
	struct running attach;
	int status;

	attach_while_it_holds(&attach, "exit");
	run_finish(&run, &attach, 20000);
	cr_assert(run.status == 0 || run.status == hp_err_exit_status(HP_TARGET_DIED) ||
			  run.status == hp_err_exit_status(HP_FINALIZING),
		  "%d: %s", run.status, run.err);
	cr_assert(eq(int, waitpid(target.pid, &status, 0), target.pid));
	target.pid = 0;
	cr_assert(eq(int, status, 0), "the target ended with wait status %x", status);
}

/* Children have no thread of ours, and not our memory. */
Test(conditions, fork_storm, .fini = stop, .timeout = 120)
{
	struct round round;

	start(interpreters_newest(), "fork");
	for (int i = 1; i <= 40; i++) {
		pytarget_edit(&target);
		run_attach(&run, target.pid);
		expect_status(&target, &run, 0);
		pytarget_fresh(&target, &round);
		expect_version(&target, &round, i);
	}
}

/* A thread that wants for a processor must not be interrupted before it has executed anything:
 * time and again, it would never get on. */
Test(conditions, a_target_that_hardly_runs, .fini = stop, .timeout = 120)
{
	static const char *const idle_class[] = {"chrt", "--idle", "0", NULL};
	const struct interpreter *python = interpreters_newest();
	cpu_set_t one;
	pid_t hog;

	if (!python)
		cr_skip_test("no CPython 3.7 to 3.15 on this machine");
	if (python->free_threaded)
		cr_skip_test(
			"with its GIL it takes five times as long for an attach: some 20 s "
			"with what is left of the processor");
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	cr_assert(eq(int, sched_setaffinity(0, sizeof(one), &one), 0));
	pytarget_wrapper = idle_class;
	pytarget_start(&target, python, "busy.py", "python", "0");
	hog = fork();
	if (hog == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (volatile int i = 0;; i++)
			;
	}
	for (int i = 1; i <= 3; i++) {
		pytarget_edit(&target);
		run_attach(&run, target.pid);
		expect_status(&target, &run, 0);
	}
	kill(hog, SIGKILL);
	waitpid(hog, NULL, 0);
	pytarget_drain(&target);
	pytarget_fresh(&target, &(struct round){0});
}
