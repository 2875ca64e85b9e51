/* SPDX-License-Identifier: MIT
 *
 * Several pyhotpatch at once on one process: they take turns, and the process never sees two at
 * work.
 */
#include <signal.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/err.h"
#include "tests/integration/campaign.h"
#include "tests/integration/pytarget.h"

#define RIVALS 3

static struct pytarget target, other;
static struct run run;

static void stop(void)
{
	pytarget_stop(&target);
}

static void start(struct running *out, const char *timeout)
{
	const char *argv[] = {pyhotpatch_path(), "attach",      "--timeout",
			      timeout,           target.number, NULL};

	run_start(out, argv);
}

static void stop_both(void)
{
	pytarget_stop(&target);
	pytarget_stop(&other);
}

static void start_on(struct running *out, const char *first, const char *second)
{
	const char *argv[] = {pyhotpatch_path(), "attach", first, second, NULL};

	run_start(out, argv);
}

static void all_at_once(int rounds)
{
	struct running attach[RIVALS];
	struct round round;

	for (int i = 0; i < rounds; i++) {
		pytarget_edit(&target);
		for (int n = 0; n < RIVALS; n++)
			start(&attach[n], "30");
		for (int n = 0; n < RIVALS; n++) {
			run_finish(&run, &attach[n], 60000);
			expect_status(&target, &run, 0);
		}
		pytarget_fresh(&target, &round);
		expect_version(&target, &round, target.version);
		cr_assert(eq(sz, pytarget_threads(&target), 1), "a worker is still there");
	}
}

Test(rivals, idle, .fini = stop, .timeout = 3000)
{
	if (!interpreters_newest())
		cr_skip_test("no CPython 3.7 to 3.15 on this machine");
	pytarget_start(&target, interpreters_newest(), "idle.py", "sleep", "0.03");
	all_at_once(campaign_size(200, 20));
}

Test(rivals, busy, .fini = stop, .timeout = 3000)
{
	if (!interpreters_other())
		cr_skip_test("no CPython 3.7 to 3.15 on this machine");
	pytarget_start(&target, interpreters_other(), "busy.py", "python", "0");
	all_at_once(campaign_size(200, 20));
}

Test(rivals, holder_of_the_gil, .fini = stop, .timeout = 3000)
{
	if (!interpreters_embeddable())
		cr_skip_test("no library of a CPython 3.7 to 3.13 on this machine");
	pytarget_start_host(&target, interpreters_embeddable(), "main");
	all_at_once(campaign_size(40, 4));
}

/* The next version, whose module code takes a second and a half. */
static void edit_slowly(void)
{
	static const char slow[] = "import time\n"
				   "time.sleep(1.5)\n"
				   "VALUE = \"v1\"\n"
				   "def answer(): return \"v1\"\n"
				   "class Thing:\n"
				   "    def method(self): return \"v1\"\n"
				   "def make():\n"
				   "    def inner(): return \"v1\"\n"
				   "    return inner\n";

	pytarget_edit(&target);
	pytarget_write(&target, "edited.py", slow);
}

static void start_slow_attach(struct running *out)
{
	if (!interpreters_newest())
		cr_skip_test("no CPython 3.7 to 3.15 on this machine");
	pytarget_start(&target, interpreters_newest(), "idle.py", "sleep", "0.1");
	edit_slowly();
	start(out, "30");
	sleep_ms(500);
}

Test(rivals, the_second_waits, .fini = stop, .timeout = 60)
{
	struct running first;
	struct round round;

	start_slow_attach(&first);
	run_pyhotpatch(
		&run, (const char *const[]){"attach", "--timeout", "0.4", target.number, NULL});
	expect_status(&target, &run, hp_err_exit_status(HP_TIMEOUT));
	expect_text(&run, run.err, "another attach is at work");
	run_attach(&run, target.pid);
	expect_status(&target, &run, 0);
	expect_text(&run, run.out, "nothing");
	run_finish(&run, &first, 20000);
	expect_status(&target, &run, 0);
	expect_text(&run, run.out, "applied");
	pytarget_fresh(&target, &round);
	expect_version(&target, &round, 1);
}

Test(rivals, the_first_is_killed, .fini = stop, .timeout = 60)
{
	struct running first;
	struct round round;

	start_slow_attach(&first);
	kill(first.pid, SIGKILL);
	run_attach(&run, target.pid);
	expect_status(&target, &run, 0);
	expect_text(&run, run.out, "applied");
	pytarget_fresh(&target, &round);
	expect_version(&target, &round, 1);
	run_finish(&run, &first, 1000);
	cr_assert(eq(int, run.status, -SIGKILL));
}

/* Operations on the same processes, named in different orders, do not wait for each other. */
Test(rivals, together, .fini = stop_both, .timeout = 3000)
{
	const int rounds = campaign_size(100, 15);
	struct running attach[2];
	struct round round;

	if (!interpreters_newest())
		cr_skip_test("no CPython 3.7 to 3.15 on this machine");
	pytarget_start(&target, interpreters_newest(), "idle.py", "sleep", "0.03");
	pytarget_start(&other, interpreters_newest(), "idle.py", "sleep", "0.03");
	for (int i = 0; i < rounds; i++) {
		pytarget_edit(&target);
		pytarget_edit(&other);
		start_on(&attach[0], target.number, other.number);
		start_on(&attach[1], other.number, target.number);
		for (int n = 0; n < 2; n++) {
			run_finish(&run, &attach[n], 60000);
			expect_status(&target, &run, 0);
		}
		pytarget_fresh(&target, &round);
		expect_version(&target, &round, target.version);
		pytarget_fresh(&other, &round);
		expect_version(&other, &round, other.version);
	}
}
