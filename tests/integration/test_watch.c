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

static void start_target(const struct interpreter *python)
{
	struct round round;

	if (!python)
		cr_skip_test("no CPython that is served on this machine");
	pytarget_start(&target, python, "idle.py", "sleep", "0.1");
	pytarget_fresh(&target, &round);
}

static void start_watching(const char *option)
{
	run_start(&watching, (const char *const[]){pyhotpatch_path(), "watch", target.number,
						   option, NULL});
}

static void start(const struct interpreter *python, const char *option)
{
	start_target(python);
	start_watching(option);
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

/* In the target's folder. */
static void shell(const char *script)
{
	run_command(&run, (const char *const[]){"sh", "-ec", script, "sh", target.dir, NULL},
		    10000);
	cr_assert(eq(int, run.status, 0), "%s: %s", script, run.err);
}

/* The links are switched, then the new release is edited, then a file that is no link. */
Test(watch, a_release_that_is_switched, .fini = stop, .timeout = 120)
{
	start_target(interpreters_newest());
	shell("cd $1; mkdir r0; mv edited.py second.py r0; ln -s r0 current;"
	      "ln -s current/edited.py current/second.py .");
	start_watching(NULL);
	sleep_ms(1000);
	shell("cd $1; cp -r r0 r1; sed -i s/v0/v1/ r1/*; ln -s r1 next; mv -T next current");
	expect_soon(1);
	shell("cd $1; sed -i s/v1/v2/ r1/*");
	expect_soon(2);
	shell("cd $1; cp -r r1 r2; sed -i s/v2/v3/ r2/*; rm current; ln -s r2 current");
	expect_soon(3);
	kill(watching.pid, SIGINT);
	finish();
	expect_status(&target, &run, 0);
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
