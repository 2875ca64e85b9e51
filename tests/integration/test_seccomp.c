/* SPDX-License-Identifier: MIT
 *
 * Targets under seccomp filters and the like: served where these let us, else refused with the
 * name of the call, before it could be made.
 */
#include <stdio.h>
#include <string.h>
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

static void start(const struct interpreter *python, const char *mode)
{
	if (!python->ctypes)
		cr_skip_test(
			"the target confines itself by ctypes, which this CPython has not");
	pytarget_start(&target, python, "confined.py", mode, "0.3");
	pytarget_await(&target, "confined");
	sleep_ms(100);
	snapshot_take(&before, target.pid);
	pytarget_edit(&target);
}

static const char *const served_modes[] = {"docker", "needed", NULL};

ParameterizedTestParameters(seccomp, served)
{
	return interpreters_params(served_modes);
}

ParameterizedTest(struct case_param *param, seccomp, served, .fini = stop, .timeout = 60)
{
	if (geteuid() != 0)
		cr_skip_test("the kernel shows filters to root alone");
	start(&param->interpreter, param->mode);
	run_attach(&run, target.pid);
	expect_status(&target, &run, 0);
	expect_version_as_found(&target, &before, 1);
}

/* That it is served and gone again shows that the other way was found. */
static void expect_other_way(const struct interpreter *python, const char *mode)
{
	start(python, mode);
	run_attach(&run, target.pid);
	expect_status(&target, &run, 0);
	expect_version_as_found(&target, &before, 1);
	stop();
	target = (struct pytarget){0};
}

Test(seccomp, memory_is_had_in_another_way, .fini = stop, .timeout = 120)
{
	static const char *const modes[] = {"no-memfd", "no-memfd-exec", "no-exec", "mdwe"};

	if (geteuid() != 0 || !interpreters_newest() || !interpreters_other())
		cr_skip_test("needs root and a CPython 3.7 to 3.13");
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		expect_other_way(interpreters_newest(), modes[i]);
		expect_other_way(interpreters_other(), modes[i]);
	}
}

/* attach and doctor must both name the call, and neither may harm the target. */
static void expect_refused(const char *mode, const char *says)
{
	const struct interpreter *python = interpreters_newest();
	char number[16];

	if (geteuid() != 0)
		cr_skip_test("the kernel shows filters to root alone");
	if (!python)
		cr_skip_test("no CPython 3.7 to 3.15 on this machine");
	start(python, mode);
	snprintf(number, sizeof(number), "%d", target.pid);
	run_pyhotpatch(&run, (const char *const[]){"attach", "--json", number, NULL});
	expect_status(&target, &run, hp_err_exit_status(hp_obstacle_kind(OBSTACLE_SECCOMP)));
	expect_text(&run, run.out, "\"obstacle\":\"seccomp\"");
	expect_text(&run, run.out, says);
	run_pyhotpatch(&run, (const char *const[]){"doctor", number, NULL});
	expect_status(&target, &run, hp_err_exit_status(hp_obstacle_kind(OBSTACLE_SECCOMP)));
	expect_text(&run, run.out, says);
	expect_version_as_found(&target, &before, 0);
	stop();
	target = (struct pytarget){0};
}

Test(seccomp, a_call_that_would_kill_is_named, .fini = stop, .timeout = 120)
{
	expect_refused("kill:clone3", "would kill it for clone3");
	expect_refused("kill:mprotect", "would kill it for mprotect");
	expect_refused("kill:exit", "would kill it for exit");
	expect_refused("kill:mremap", "would kill it for mremap");
}

Test(seccomp, a_call_that_is_denied_or_trapped_is_named, .fini = stop, .timeout = 60)
{
	expect_refused("trap:gettid", "sends SIGSYS for gettid");
	expect_refused("deny:clone3", "denies clone3");
	expect_refused("no-exec-at-all", "denies mprotect (executable)");
}

/* A rule that is no filter, as SELinux's execmem would be: seen only when it is tried. */
Test(seccomp, memory_that_may_not_be_executed_is_told, .fini = stop, .timeout = 60)
{
	const struct interpreter *python = interpreters_newest();
	char number[16];

	if (geteuid() != 0 || !python)
		cr_skip_test("needs root and a CPython 3.7 to 3.13");
	start(python, "no-exec-mdwe");
	snprintf(number, sizeof(number), "%d", target.pid);
	run_pyhotpatch(&run, (const char *const[]){"attach", "--json", number, NULL});
	expect_status(&target, &run,
		      hp_err_exit_status(hp_obstacle_kind(OBSTACLE_NO_EXECUTABLE)));
	expect_text(&run, run.out, "\"obstacle\":\"no-executable\"");
	expect_version_as_found(&target, &before, 0);
}

/* Whoever may read the filters may open map_files as well, so that it is hidden here. */
Test(seccomp, without_a_memfd_map_files_is_needed, .fini = stop, .timeout = 60)
{
	const struct interpreter *python = interpreters_newest();
	char script[600];

	if (geteuid() != 0 || !python)
		cr_skip_test("needs root and a CPython 3.7 to 3.13");
	start(python, "no-memfd");
	snprintf(
		script, sizeof(script),
		"mount -t tmpfs none /proc/%d/map_files || exit 99; exec '%s' attach --json %d",
		target.pid, pyhotpatch_path(), target.pid);
	run_command(&run, (const char *const[]){"unshare", "--mount", "sh", "-c", script, NULL},
		    20000);
	if (run.status == 99)
		cr_skip_test("this kernel lets nobody mount there");
	expect_status(&target, &run, hp_err_exit_status(hp_obstacle_kind(OBSTACLE_NO_MEMFD)));
	expect_text(&run, run.out, "\"obstacle\":\"no-memfd\"");
	expect_version_as_found(&target, &before, 0);
}

/* Interrupted in poll(), the thread would be killed for restart_syscall as soon as it is let
 * go. */
Test(seccomp, a_wait_that_must_not_be_restarted_is_issued_anew, .fini = stop, .timeout = 60)
{
	const struct interpreter *python = interpreters_newest();

	if (geteuid() != 0 || !python)
		cr_skip_test("needs root and a CPython 3.7 to 3.13");
	start(python, "kill:restart_syscall");
	for (int i = 0; i < 5; i++) {
		if (i)
			pytarget_edit(&target);
		run_attach(&run, target.pid);
		expect_status(&target, &run, 0);
		expect_version_as_found(&target, &before, target.version);
	}
}

/* New code that takes its time makes us look for who keeps the GIL: among those that wait
 * outside of Python, of whom none may be killed for it, nor is a thread of ours. */
Test(seccomp, a_thread_that_is_looked_at_is_not_killed, .fini = stop, .timeout = 60)
{
	const struct interpreter *python = interpreters_newest();

	if (geteuid() != 0 || !python)
		cr_skip_test("needs root and a CPython 3.7 to 3.13");
	start(python, "kill:restart_syscall");
	pytarget_append(&target, "import time\ntime.sleep(1)\n");
	run_attach(&run, target.pid);
	expect_status(&target, &run, 0);
	expect_version_as_found(&target, &before, target.version);
}
