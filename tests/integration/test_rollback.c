/* SPDX-License-Identifier: MIT
 *
 * Attaches taken back in a live process: rollback, status and forget.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/err.h"
#include "tests/integration/pytarget.h"
#include "tests/integration/snapshot.h"

static struct pytarget target;
static struct snapshot before, after;
static struct run run;
static char pid[16];

static void stop(void)
{
	pytarget_stop(&target);
}

static void start(const struct interpreter *python, const char *mode)
{
	struct round round;

	if (!python)
		cr_skip_test("no CPython 3.7 to 3.13 on this machine");
	pytarget_start(&target, python, "idle.py", mode, "0.2");
	snprintf(pid, sizeof(pid), "%d", target.pid);
	pytarget_fresh(&target, &round);
}

static void command(const char *name, const char *option, int status)
{
	run_pyhotpatch(&run, (const char *const[]){name, pid, option, NULL});
	expect_status(&target, &run, status);
}

static void expect_now(int version)
{
	struct round round;

	pytarget_fresh(&target, &round);
	expect_version(&target, &round, version);
}

ParameterizedTestParameters(rollback, down_and_up_again)
{
	return interpreters_params((const char *const[]){"sleep", "threads", NULL});
}

ParameterizedTest(struct case_param *param, rollback, down_and_up_again, .fini = stop,
		  .timeout = 120)
{
	char text[8192];

	start(&param->interpreter, param->mode);
	snapshot_take(&before, target.pid);
	for (int version = 1; version <= 3; version++) {
		pytarget_edit(&target);
		command("attach", NULL, 0);
		expect_text(&run, run.out, "undo: pyhotpatch rollback ");
	}
	expect_now(3);
	command("status", NULL, 0);
	expect_text(&run, run.out, "3 attaches recorded");
	command("rollback", NULL, 0);
	expect_now(2);
	command("rollback", "--to=0", 0);
	expect_text(&run, run.out, "took back 2 attaches");
	expect_now(0);
	command("rollback", NULL, 0);
	expect_text(&run, run.out, "no attach to take back");
	command("attach", NULL, 0);
	expect_now(3);
	command("forget", NULL, 0);
	command("status", NULL, 0);
	expect_text(&run, run.out, "no attach is recorded");
	expect_now(3);
	snapshot_take(&after, target.pid);
	snapshot_compare(text, sizeof(text), &before, &after);
	if (text[0] != '\0')
		pytarget_fail(&target, "not left as found:\n%s", text);
}

Test(rollback, a_number_that_is_not, .fini = stop, .timeout = 60)
{
	start(interpreters_newest(), "sleep");
	pytarget_edit(&target);
	command("attach", NULL, 0);
	command("rollback", "--to=5", hp_err_exit_status(HP_REFUSED));
	expect_text(&run, run.err, "there is no attach 5");
	expect_now(1);
}
