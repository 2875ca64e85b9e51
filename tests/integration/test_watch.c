/* SPDX-License-Identifier: MIT
 *
 * pyhotpatch watch: edits land by themselves, errors do not end it, the target's end and ^C do.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/err.h"
#include "tests/integration/pytarget.h"

#define PATIENCE 200 /* rounds of 0.1 s */

static struct pytarget target;
static struct running watching;
static struct run run;

static void stop(void)
{
	if (watching.pid > 0)
		kill(watching.pid, SIGKILL);
	pytarget_stop(&target);
}

static void start(const struct interpreter *python, const char *option)
{
	struct round round;
	const char *argv[] = {pyhotpatch_path(), "watch", NULL, option, NULL};

	if (!python)
		cr_skip_test("no CPython that is served on this machine");
	pytarget_start(&target, python, "idle.py", "sleep", "0.1");
	pytarget_fresh(&target, &round);
	argv[2] = target.number;
	run_start(&watching, argv);
}

static void finish(void)
{
	run_finish(&run, &watching, 20000);
	watching.pid = 0;
}

static void expect_soon(int version)
{
	struct round round = {.version = -1};

	for (int i = 0; i < PATIENCE && round.version != version; i++)
		pytarget_fresh(&target, &round);
	expect_version(&target, &round, version);
}

ParameterizedTestParameters(watch, edits_land_until_the_target_ends)
{
	return interpreters_params((const char *const[]){"sleep", NULL});
}

ParameterizedTest(struct case_param *param, watch, edits_land_until_the_target_ends,
		  .fini = stop, .timeout = 120)
{
	start(&param->interpreter, NULL);
	for (int version = 1; version <= 3; version++) {
		pytarget_edit(&target);
		expect_soon(version);
	}
	kill(target.pid, SIGKILL);
	finish();
	expect_status(&target, &run, 0);
	expect_text(&run, run.out, "applied in ");
	expect_text(&run, run.out, "has ended\n");
}

Test(watch, a_mistake_is_shown_and_is_not_the_end, .fini = stop, .timeout = 120)
{
	start(interpreters_newest(), NULL);
	pytarget_edit(&target);
	expect_soon(1);
	pytarget_write(&target, "edited.py", "def answer(:\n");
	sleep_ms(1500);
	pytarget_edit(&target);
	expect_soon(2);
	kill(watching.pid, SIGINT);
	finish();
	expect_status(&target, &run, 0);
	expect_text(&run, run.err, "SyntaxError");
	cr_assert(pytarget_alive(&target));
}

Test(watch, each_attach_is_an_object_in_json, .fini = stop, .timeout = 120)
{
	start(interpreters_newest(), "--json");
	pytarget_edit(&target);
	expect_soon(1);
	kill(watching.pid, SIGTERM);
	finish();
	expect_status(&target, &run, 0);
	expect_text(&run, run.out, "\"status\":\"applied\"");
}

Test(watch, a_process_that_is_not_there, .timeout = 60)
{
	run_pyhotpatch(&run, (const char *const[]){"watch", "2147483647", NULL});
	cr_assert(eq(int, run.status, hp_err_exit_status(HP_NO_PROCESS)), "%s", run.err);
}
