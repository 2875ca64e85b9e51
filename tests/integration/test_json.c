/* SPDX-License-Identifier: MIT
 *
 * Every command's JSON is valid by its schema, as Debian's python3-jsonschema judges it.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/err.h"
#include "tests/integration/pytarget.h"

static struct pytarget target;
static struct running watching;
static struct run run;

static void stop(void)
{
	if (watching.pid > 0)
		kill(watching.pid, SIGKILL);
	pytarget_stop(&target);
}

static void start(void)
{
	struct round round;

	if (!interpreters_newest())
		cr_skip_test("no CPython that is served on this machine");
	pytarget_start(&target, interpreters_newest(), "idle.py", "sleep", "0.2");
	pytarget_fresh(&target, &round);
}

static void command(const char *name, const char *option, int status)
{
	run_pyhotpatch(&run, (const char *const[]){name, target.number, option, NULL});
	expect_status(&target, &run, status);
}

/* `text`: one object. */
static void expect_valid_by(const char *schema, const char *object)
{
	char path[300];
	struct run judged;
	FILE *to;

	snprintf(path, sizeof(path), "%s/report.json", target.dir);
	to = fopen(path, "we");
	cr_assert(to != NULL);
	fputs(object, to);
	fclose(to);
	run_command(&judged,
		    (const char *const[]){"/usr/bin/python3", "-W", "ignore", "-m",
					  "jsonschema", "-i", path, getenv(schema), NULL},
		    20000);
	if (judged.status)
		pytarget_fail(&target, "not valid: %s%s\n%s", judged.out, judged.err, object);
}

static void expect_valid(void)
{
	expect_valid_by("PYHOTPATCH_SCHEMA", run.out);
}

Test(json, what_list_and_doctor_say, .fini = stop, .timeout = 120)
{
	start();
	run_pyhotpatch(&run, (const char *const[]){"list", "--json", NULL});
	/* the first line: others run here, too */
	cr_assert(strtok(run.out, "\n") != NULL);
	expect_text(&run, run.out, "\"attachable\"");
	expect_valid_by("PYHOTPATCH_PROCESS_SCHEMA", run.out);
	command("doctor", "--json", 0);
	expect_text(&run, run.out, "\"obstacles\":[]");
	expect_valid_by("PYHOTPATCH_PROCESS_SCHEMA", run.out);
}

Test(json, what_every_command_says, .fini = stop, .timeout = 120)
{
	static const struct {
		const char *name, *wanted;
	} steps[] = {
		{"status", "\"nothing-to-do\""},
		{"attach", "\"undo\":\"pyhotpatch rollback "},
		{"status", "\"recorded\""},
		{"rollback", "\"rolled-back\""},
		{"rollback", "\"nothing-to-do\""},
		{"forget", "\"forgotten\""},
		{"forget", "\"nothing-to-do\""},
	};

	start();
	pytarget_edit(&target);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		command(steps[i].name, "--json", 0);
		expect_text(&run, run.out, steps[i].wanted);
		expect_valid();
	}
	command("plan", "--json", 0);
	expect_text(&run, run.out, "\"planned\"");
	expect_valid();
	pytarget_write(&target, "edited.py", "def answer(:\n");
	command("attach", "--json", hp_err_exit_status(HP_SOURCE));
	expect_valid();
}

Test(json, what_watch_says, .fini = stop, .timeout = 120)
{
	struct round round = {.version = -1};
	int objects = 0;

	start();
	run_start(&watching, (const char *const[]){pyhotpatch_path(), "watch", target.number,
						   "--json", NULL});
	pytarget_edit(&target);
	for (int i = 0; i < 200 && round.version != 1; i++)
		pytarget_fresh(&target, &round);
	expect_version(&target, &round, 1);
	kill(watching.pid, SIGTERM);
	run_finish(&run, &watching, 20000);
	watching.pid = 0;
	for (char *rest = run.out, *line; (line = strsep(&rest, "\n")) && line[0]; objects++)
		expect_valid_by("PYHOTPATCH_SCHEMA", line);
	cr_assert(le(int, 1, objects));
}
