/* SPDX-License-Identifier: MIT
 *
 * Several processes as one operation: all are changed or none is, whoever of them fails, and
 * whenever pyhotpatch is killed.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/deadline.h"
#include "inject/base/err.h"
#include "tests/integration/campaign.h"
#include "tests/integration/pytarget.h"

#define COUNT 4
#define ARGS  24

static struct pytarget targets[COUNT];
static struct run run;
static size_t threads;

static void stop(void)
{
	for (int i = 0; i < COUNT; i++)
		pytarget_stop(&targets[i]);
}

/* As many interpreters as there are, of the oldest to the newest. */
static void start_all(void)
{
	size_t count, found = 0;
	const struct interpreter *all = interpreters_all(&count);
	const struct interpreter *served[64];

	for (size_t i = 0; i < count && found < 64; i++)
		if (interpreter_is_served(&all[i]))
			served[found++] = &all[i];
	if (!found)
		cr_skip_test("no CPython 3.7 to 3.15 on this machine");
	for (size_t i = 0; i < COUNT; i++)
		pytarget_start(&targets[i], served[i * found / COUNT], "idle.py", "sleep",
			       "0.03");
	threads = pytarget_threads(&targets[0]);
}

static void edit_all(void)
{
	for (int i = 0; i < COUNT; i++)
		pytarget_edit(&targets[i]);
}

static const char **arguments(const char *command, const char *option)
{
	static const char *argv[ARGS];
	int n = 0;

	argv[n++] = pyhotpatch_path();
	argv[n++] = command;
	if (option)
		argv[n++] = option;
	for (int i = 0; i < COUNT; i++)
		argv[n++] = targets[i].number;
	argv[n] = NULL;
	return argv;
}

static void ask(const char *command, const char *option)
{
	run_command(&run, arguments(command, option), 60000);
}

static void expect_versions(int version)
{
	struct round round;

	for (int i = 0; i < COUNT; i++) {
		pytarget_fresh(&targets[i], &round);
		expect_version(&targets[i], &round, version);
	}
}

static void expect_left_alone(void)
{
	for (int i = 0; i < COUNT; i++) {
		for (int wait = 0; wait < 100 && pytarget_threads(&targets[i]) != threads;
		     wait++)
			sleep_ms(20);
		cr_assert(eq(sz, pytarget_threads(&targets[i]), threads),
			  "%s: a worker is still there", targets[i].label);
	}
}

static int count_of(const char *text, const char *part)
{
	int count = 0;

	for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
		count++;
	return count;
}

Test(together, all_take_it_and_give_it_back, .fini = stop, .timeout = 300)
{
	start_all();
	edit_all();
	ask("attach", NULL);
	expect_status(&targets[0], &run, 0);
	expect_text(&run, run.out, "4 processes: 4 applied");
	expect_versions(1);
	ask("rollback", NULL);
	expect_status(&targets[0], &run, 0);
	expect_text(&run, run.out, "4 processes: 4 rolled back");
	expect_versions(0);
	expect_left_alone();
}

/* Its source does not compile; nobody else's is applied. */
Test(together, one_that_cannot_be_prepared_holds_the_others_back, .fini = stop, .timeout = 300)
{
	struct round round;

	start_all();
	edit_all();
	pytarget_append(&targets[2], "\ndef broken(:\n");
	ask("attach", NULL);
	expect_status(&targets[0], &run, hp_err_exit_status(HP_SOURCE));
	expect_text(&run, run.err, "SyntaxError");
	cr_assert(eq(int, count_of(run.err, "nothing was changed, because process"), 3), "%s",
		  run.err);
	expect_text(&run, run.err, "4 processes: 1 failed, 3 held back");
	expect_versions(0);
	expect_left_alone();
	ask("attach", "--json");
	cr_assert(eq(int, count_of(run.out, "\"kind\":\"HELD_BACK\""), 3), "%s", run.out);
	cr_assert(eq(int, count_of(run.out, "\"kind\":\"SOURCE\""), 1), "%s", run.out);

	ask("attach", "--keep-going");
	expect_status(&targets[0], &run, hp_err_exit_status(HP_SOURCE));
	expect_text(&run, run.err, "4 processes: 3 applied, 1 failed");
	for (int i = 0; i < COUNT; i++) {
		pytarget_fresh(&targets[i], &round);
		expect_version(&targets[i], &round, i == 2 ? 0 : 1);
	}
}

/* All at version 1, and the last has an instance whose class can get no slot. */
static void start_with_slotted(void)
{
	start_all();
	edit_all();
	pytarget_append(&targets[3],
			"\nclass Slotted:\n    __slots__ = ('a',)\n\n\nslotted = Slotted()\n");
	ask("attach", NULL);
	expect_status(&targets[0], &run, 0);
}

/* Who has begun by then is taken back, "because another process could not be changed"; who has
 * not stays as it was, "because process 12 could not be". */
static void expect_held_back(void)
{
	expect_text(&run, run.err, ", because ");
	expect_text(&run, run.err, "could not be");
	expect_text(&run, run.err, "4 processes: 1 failed, 3 held back");
}

/* That its instances cannot move is found by moving them: the others have changed by then, and
 * change back. */
Test(together, one_that_cannot_be_changed_changes_the_others_back, .fini = stop, .timeout = 300)
{
	start_with_slotted();
	expect_versions(1);
	edit_all();
	pytarget_append(
		&targets[3],
		"\nclass Slotted:\n    __slots__ = ('a', 'b')\n\n\nslotted = Slotted()\n");
	for (int i = 0; i < 3; i++) {
		ask("attach", NULL);
		expect_status(&targets[0], &run, hp_err_exit_status(HP_REFUSED));
		expect_text(&run, run.err, "live instances of class Slotted");
		expect_held_back();
		expect_versions(1);
	}
	expect_left_alone();
	ask("rollback", NULL); /* what was changed back is not there to be taken back again */
	expect_status(&targets[0], &run, 0);
	expect_versions(0);
}

/* The class of the last process lost a slot; the instance that it has cannot get it back. */
Test(together, one_that_cannot_be_rolled_back_has_the_others_applied_again, .fini = stop,
     .timeout = 300)
{
	struct round round;

	start_all();
	edit_all();
	pytarget_append(&targets[3], "\nclass Slotted:\n    __slots__ = ('a', 'b')\n");
	ask("attach", NULL);
	expect_status(&targets[0], &run, 0);
	edit_all();
	pytarget_append(&targets[3], "\nclass Slotted:\n    __slots__ = ('a',)\n\n\n"
				     "slotted = [Slotted()]\n");
	ask("attach", NULL);
	expect_status(&targets[0], &run, 0);
	expect_versions(2);
	for (int i = 0; i < 3; i++) {
		ask("rollback", NULL);
		expect_status(&targets[0], &run, hp_err_exit_status(HP_REFUSED));
		expect_text(&run, run.err, "cannot be put back");
		expect_held_back();
		expect_versions(2);
	}
	expect_left_alone();
	ask("rollback", "--keep-going");
	expect_status(&targets[0], &run, hp_err_exit_status(HP_REFUSED));
	for (int i = 0; i < COUNT; i++) {
		pytarget_fresh(&targets[i], &round);
		expect_version(&targets[i], &round, i == 3 ? 2 : 1);
	}
}

Test(together, one_that_is_not_there_is_found_before_any_is_touched, .fini = stop,
     .timeout = 300)
{
	start_all();
	edit_all();
	run_pyhotpatch(&run, (const char *const[]){"attach", targets[0].number,
						   targets[1].number, "4194303", NULL});
	expect_status(&targets[0], &run, hp_err_exit_status(HP_NO_PROCESS));
	expect_text(&run, run.err, "3 processes: 1 failed, 2 held back");
	expect_versions(0);
}

/* That not all of them have the module is no slip of the pen. */
Test(together, a_module_that_one_of_them_has, .fini = stop, .timeout = 300)
{
	start_all();
	edit_all();
	pytarget_append(&targets[1], "\nimport colorsys\n");
	ask("attach", NULL);
	expect_status(&targets[0], &run, 0);
	ask("attach", "--module=colorsys");
	expect_status(&targets[0], &run, 0);
	cr_assert(strstr(run.out, "warning") == NULL, "%s", run.out);
	ask("attach", "--module=colorsyst");
	expect_status(&targets[0], &run, 0);
	expect_text(&run, run.out, "no module named by --module is imported");
}

/* The new code of one of them does not end: the time is up for all. */
Test(together, the_time_is_up_for_all, .fini = stop, .timeout = 300)
{
	start_all();
	edit_all();
	pytarget_append(&targets[1], "\nENDLESS = [0 for _ in iter(int, 1)]\n");
	ask("attach", "--timeout=2");
	expect_status(&targets[0], &run, hp_err_exit_status(HP_TIMEOUT));
	expect_text(&run, run.err, "4 processes: 1 failed, 3 held back");
	expect_versions(0);
	expect_left_alone();
}

static void await_workers(void)
{
	/* The first ones are ready and wait when the last one's new code runs. */
	for (int wait = 0; wait < 500; wait++) {
		size_t entered = 0;

		for (int i = 0; i < COUNT; i++)
			entered += pytarget_threads(&targets[i]) > threads;
		if (entered == COUNT)
			break;
		sleep_ms(10);
	}
	sleep_ms(500);
}

static void interrupt_prepared(int number)
{
	struct running running;
	int64_t began;

	pytarget_append(&targets[COUNT - 1], "\nSLEPT = __import__('time').sleep(2)\n");
	run_start(&running, arguments("attach", NULL));
	await_workers();
	began = clock_now_ns();
	cr_assert(eq(int, kill(running.pid, number), 0));
	run_finish(&run, &running, 60000);
	cr_assert(lt(i64, clock_now_ns() - began, 1800000000), "it did not end at once");
}

/* A process that ends while the others wait for it. */
Test(together, one_that_dies_while_they_are_prepared, .fini = stop, .timeout = 300)
{
	struct running running;
	struct round round;

	start_all();
	edit_all();
	pytarget_append(&targets[COUNT - 1], "\nSLEPT = __import__('time').sleep(5)\n");
	run_start(&running, arguments("attach", NULL));
	await_workers();
	kill(targets[COUNT - 1].pid, SIGKILL);
	run_finish(&run, &running, 60000);
	expect_status(&targets[0], &run, hp_err_exit_status(HP_TARGET_DIED));
	expect_text(&run, run.err, "3 held back");
	for (int i = 0; i < COUNT - 1; i++) {
		pytarget_fresh(&targets[i], &round);
		expect_version(&targets[i], &round, 0);
	}
}

/* Nobody is left to say that it may be done. */
Test(together, killed_while_they_are_prepared, .fini = stop, .timeout = 300)
{
	start_all();
	edit_all();
	interrupt_prepared(SIGKILL);
	cr_assert(eq(int, run.status, -SIGKILL));
	sleep_ms(2500); /* its new code has ended by then, too */
	expect_versions(0);
	expect_left_alone();
	edit_all();
	ask("attach", NULL);
	expect_status(&targets[0], &run, 0);
	expect_versions(2);
}

Test(together, interrupted_while_they_are_prepared, .fini = stop, .timeout = 300)
{
	start_all();
	edit_all();
	interrupt_prepared(SIGINT);
	expect_status(&targets[0], &run, hp_err_exit_status(HP_INTERRUPTED));
	expect_text(&run, run.err, "3 held back");
	sleep_ms(2500);
	expect_versions(0);
	expect_left_alone();
}

static int version_of(struct pytarget *target)
{
	struct round round;

	pytarget_fresh(target, &round);
	cr_assert(ne(int, round.version, -1), "%s is half new: %s", target->label, round.text);
	return round.version;
}

/* At any time until a little after the end of one that is not killed. */
static void kill_at_random(const char *command, int64_t whole_ns)
{
	static unsigned seed;
	struct running running;

	seed = seed ? seed : (unsigned)clock_now_ns();
	run_start(&running, arguments(command, NULL));
	usleep((useconds_t)(rand_r(&seed) % (whole_ns / 800 + 1)));
	kill(running.pid, SIGKILL);
	run_finish(&run, &running, 60000);
	expect_left_alone();
}

/* Killed at any time, all are old or all are new. */
Test(together, killed_at_random, .fini = stop, .timeout = 3000)
{
	const int rounds = campaign_size(400, 25);
	int was_new = 0, old = 1;
	int64_t whole_ns;

	start_all();
	edit_all();
	ask("attach", NULL);
	expect_status(&targets[0], &run, 0);
	whole_ns = run.elapsed_ns;
	for (int i = 0; i < rounds; i++) {
		int found;

		edit_all();
		kill_at_random("attach", whole_ns);
		found = version_of(&targets[0]);
		cr_assert(found == old || found == targets[0].version, "%d", found);
		for (int n = 1; n < COUNT; n++)
			cr_assert(eq(int, version_of(&targets[n]), found),
				  "round %d: %s is not as the first", i, targets[n].label);
		was_new += found != old;
		old = found;
	}
	printf("of %d attaches to %d processes that were killed, %d were complete\n", rounds,
	       COUNT, was_new);
}

/* ... also when one of them makes all others change back. */
Test(together, killed_at_random_while_they_change_back, .fini = stop, .timeout = 3000)
{
	const int rounds = campaign_size(200, 15);
	int64_t whole_ns;

	start_with_slotted();
	whole_ns = run.elapsed_ns * 3 / 2;
	for (int i = 0; i < rounds; i++) {
		edit_all();
		pytarget_append(
			&targets[3],
			"\nclass Slotted:\n    __slots__ = ('a', 'b')\n\n\nslotted = Slotted()\n");
		kill_at_random("attach", whole_ns);
		expect_versions(1);
	}
}

/* A rollback that is killed at any time is made in all or in none. */
Test(together, killed_at_random_in_a_rollback, .fini = stop, .timeout = 1500)
{
	const int rounds = campaign_size(200, 12);
	int was_made = 0;

	start_all();
	for (int i = 0; i < rounds; i++) {
		const int old = version_of(&targets[0]);
		int found;

		edit_all();
		ask("attach", NULL);
		expect_status(&targets[0], &run, 0);
		kill_at_random("rollback", run.elapsed_ns);
		found = version_of(&targets[0]);
		cr_assert(found == old || found == targets[0].version, "%d", found);
		for (int n = 1; n < COUNT; n++)
			cr_assert(eq(int, version_of(&targets[n]), found),
				  "round %d: %s is not as the first", i, targets[n].label);
		was_made += found == old;
	}
	printf("of %d rollbacks of %d processes that were killed, %d were complete\n", rounds,
	       COUNT, was_made);
}
