/* SPDX-License-Identifier: MIT
 *
 * The program as a whole: several processes in one command, JSON, the module filter, list and
 * doctor.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <jansson.h>

#include "inject/base/err.h"
#include "tests/integration/pytarget.h"
#include "tests/integration/snapshot.h"

static struct pytarget targets[3];
static struct snapshot before, after;
static struct run run;

static void stop(void)
{
	for (int i = 0; i < 3; i++)
		pytarget_stop(&targets[i]);
}

static void start(int count)
{
	const struct interpreter *python[] = {interpreters_newest(), interpreters_other(),
					      interpreters_newest()};

	if (!python[0])
		cr_skip_test("no CPython 3.7 to 3.15 on this machine");
	for (int i = 0; i < count; i++)
		pytarget_start(&targets[i], python[i], "idle.py", "sleep", "0.3");
}

static const char *pid_text(int i)
{
	static char text[3][16];

	snprintf(text[i], sizeof(text[i]), "%d", targets[i].pid);
	return text[i];
}

Test(program, several_processes_in_one_command, .fini = stop)
{
	struct round round;

	start(3);
	for (int i = 0; i < 3; i++)
		pytarget_edit(&targets[i]);
	run_pyhotpatch(&run, (const char *const[]){"attach", pid_text(0), pid_text(1),
						   pid_text(2), NULL});
	expect_status(&targets[0], &run, 0);
	for (int i = 0; i < 3; i++) {
		expect_text(&run, run.out, pid_text(i));
		pytarget_fresh(&targets[i], &round);
		expect_version(&targets[i], &round, 1);
	}
	expect_text(&run, run.out, "edited");
	expect_text(&run, run.out, "answer");
}

Test(program, json_is_one_object_a_process, .fini = stop)
{
	size_t flags = JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK;
	const char *rest = run.out;
	json_error_t error;

	start(2);
	pytarget_edit(&targets[0]);
	run_pyhotpatch(&run, (const char *const[]){"attach", "--json", pid_text(0), pid_text(1),
						   NULL});
	expect_status(&targets[0], &run, 0);
	for (int i = 0; i < 2; i++) {
		json_t *object = json_loads(rest, flags, &error);

		cr_assert(object != NULL, "%s in: %s", error.text, rest);
		cr_assert(eq(int, json_is_object(object), 1));
		cr_assert(eq(long, (long)json_integer_value(json_object_get(object, "pid")),
			     targets[i].pid));
		json_decref(object);
		rest += error.position;
	}
	cr_assert(eq(sz, strspn(rest, " \n"), strlen(rest)), "more than two objects: %s", rest);
}

Test(program, json_of_a_failure, .fini = stop)
{
	json_error_t error;

	run_pyhotpatch(&run, (const char *const[]){"attach", "--json", "4194303", NULL});
	cr_assert(eq(int, run.status, hp_err_exit_status(HP_NO_PROCESS)));
	json_t *object = json_loads(run.out, 0, &error);
	cr_assert(object != NULL, "%s in: %s", error.text, run.out);
	cr_assert(strstr(run.out, "NO_PROCESS") != NULL, "%s", run.out);
	json_decref(object);
}

Test(program, one_bad_pid_of_two_is_told, .fini = stop)
{
	start(1);
	run_pyhotpatch(&run, (const char *const[]){"attach", pid_text(0), "4194303", NULL});
	expect_status(&targets[0], &run, hp_err_exit_status(HP_NO_PROCESS));
	expect_text(&run, run.err, "4194303");
}

/* Only second.py is asked for: what edited.py answers stays old. */
Test(program, module_limits_what_changes, .fini = stop)
{
	struct round round;

	start(1);
	pytarget_edit(&targets[0]);
	run_pyhotpatch(
		&run, (const char *const[]){"attach", "--module", "second", pid_text(0), NULL});
	expect_status(&targets[0], &run, 0);
	pytarget_fresh(&targets[0], &round);
	cr_assert(strstr(round.text, "answers v0 v0 v0 v1 v1") != NULL, "%s", round.text);
	run_attach(&run, targets[0].pid);
	expect_status(&targets[0], &run, 0);
	pytarget_fresh(&targets[0], &round);
	expect_version(&targets[0], &round, 1);
}

Test(program, list_shows_them, .fini = stop)
{
	start(2);
	run_pyhotpatch(&run, (const char *const[]){"list", NULL});
	expect_status(&targets[0], &run, 0);
	expect_text(&run, run.out, pid_text(0));
	expect_text(&run, run.out, pid_text(1));
}

Test(program, doctor_touches_nothing, .fini = stop)
{
	struct round round;
	char text[4096];

	start(1);
	pytarget_edit(&targets[0]);
	snapshot_take(&before, targets[0].pid);
	run_pyhotpatch(&run, (const char *const[]){"doctor", pid_text(0), NULL});
	expect_status(&targets[0], &run, 0);
	expect_text(&run, run.out, pid_text(0));
	snapshot_take(&after, targets[0].pid);
	snapshot_compare(text, sizeof(text), &before, &after);
	cr_assert(eq(str, text, ""));
	cr_assert(eq(sz, before.map_count, after.map_count));
	pytarget_fresh(&targets[0], &round);
	expect_version(&targets[0], &round, 0);
}

Test(program, usage)
{
	run_pyhotpatch(&run, (const char *const[]){"--version", NULL});
	cr_assert(eq(int, run.status, 0));
	run_pyhotpatch(&run, (const char *const[]){"--help", NULL});
	cr_assert(eq(int, run.status, 0));
	expect_text(&run, run.out, "attach");
	run_pyhotpatch(&run, (const char *const[]){"attach", "no-pid", NULL});
	cr_assert(eq(int, run.status, hp_err_exit_status(HP_USAGE)));
	expect_text(&run, run.err, "no-pid");
	run_pyhotpatch(&run, (const char *const[]){"attach", NULL});
	cr_assert(eq(int, run.status, hp_err_exit_status(HP_USAGE)));
}
