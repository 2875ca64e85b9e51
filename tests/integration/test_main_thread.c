/* SPDX-License-Identifier: MIT
 *
 * New module code on the program's main thread: done when that executes Python, and when it
 * does not, neither now nor later, nor in a child.
 */
#include <stdio.h>
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

static void start(const struct interpreter *python, const char *mode, const char *seconds)
{
	if (!python)
		cr_skip_test("no CPython 3.7 to 3.15 on this machine");
	pytarget_start(&target, python, "main_thread.py", mode, seconds);
	sleep_ms(150);
	snapshot_take(&before, target.pid);
	pytarget_edit(&target);
}

static void attach(int status, const char *timeout)
{
	run_pyhotpatch(&run, (const char *const[]){"attach", "--on-main-thread", "--timeout",
						   timeout, target.number, NULL});
	expect_status(&target, &run, status);
}

static void expect_next(int version)
{
	struct round round;

	pytarget_fresh(&target, &round);
	expect_version(&target, &round, version);
}

static const char *const modes[] = {"rounds", NULL};

ParameterizedTestParameters(main_thread, served)
{
	return interpreters_params(modes);
}

ParameterizedTest(struct case_param *param, main_thread, served, .fini = stop, .timeout = 60)
{
	start(&param->interpreter, param->mode, "0.1");
	attach(0, "20");
	expect_next(1);
	expect_left_as_found(&target, &before);
}

/* Ours waits for the call to be made, which it cannot take back, and is gone then. */
static void expect_too_late(const char *mode)
{
	start(interpreters_newest(), mode, "3");
	attach(hp_err_exit_status(HP_TIMEOUT), "1");
	expect_text(&run, run.err, "main thread executed no Python");
	expect_next(0);
	sleep_ms(300);
	expect_next(0);
}

Test(main_thread, too_late, .fini = stop, .timeout = 60)
{
	expect_too_late("late");
	expect_left_as_found(&target, &before);
	attach(0, "20");
	expect_next(1);
}

/* A child has no worker, and what it finds asked for is not its own. */
Test(main_thread, children, .fini = stop, .timeout = 60)
{
	expect_too_late("forks");
	attach(0, "20");
	expect_next(1);
}
