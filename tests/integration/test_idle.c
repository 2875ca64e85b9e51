/* SPDX-License-Identifier: MIT
 *
 * Targets that wait: the answer is new, the state is kept, the wait lasts as long as it should,
 * and the process is left as found.
 */
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/integration/pytarget.h"
#include "tests/integration/snapshot.h"

#define SECONDS     1.6
#define SECONDS_ARG "1.6"
/* Into the wait: late enough that starting the wait afresh could not go unnoticed. */
#define INTO_MS 900
/* A loaded machine wakes late; a wait that began again would end INTO_MS late. */
#define LATE 0.7

static struct pytarget target;
static struct snapshot before;

static void stop(void)
{
	pytarget_stop(&target);
}

static void attach_during_wait(void)
{
	struct run run;

	sleep_ms(INTO_MS);
	snapshot_take(&before, target.pid);
	pytarget_edit(&target);
	run_attach(&run, target.pid);
	expect_status(&target, &run, 0);
}

static void expect_wait(const struct round *round)
{
	if (round->elapsed < SECONDS - 0.01 || round->elapsed > SECONDS + LATE)
		pytarget_fail(&target, "a wait of %.1f s took %.3f s", SECONDS, round->elapsed);
}

static const char *const timed_modes[] = {"sleep", "select",  "poll",    "epoll",
					  "lock",  "asyncio", "threads", NULL};

ParameterizedTestParameters(idle, timed_wait)
{
	return interpreters_params(timed_modes);
}

ParameterizedTest(struct case_param *param, idle, timed_wait, .fini = stop, .timeout = 120)
{
	struct round round;

	pytarget_start(&target, &param->interpreter, "idle.py", param->mode, SECONDS_ARG);
	attach_during_wait();
	pytarget_next(&target, &round);
	expect_version(&target, &round, 1);
	expect_wait(&round);
	cr_assert(eq(int, (int)round.number, 1), "state was lost: %s", round.text);
	sleep_ms(INTO_MS);
	expect_left_as_found(&target, &before);
	pytarget_next(&target, &round);
	expect_version(&target, &round, 1);
	expect_wait(&round);
}

static const char *const input_mode[] = {"input", NULL};

ParameterizedTestParameters(idle, input)
{
	return interpreters_params(input_mode);
}

ParameterizedTest(struct case_param *param, idle, input, .fini = stop, .timeout = 120)
{
	struct round round;

	pytarget_start(&target, &param->interpreter, "idle.py", param->mode, "0");
	attach_during_wait();
	expect_left_as_found(&target, &before);
	cr_assert(eq(int, (int)write(target.in, "x\n", 2), 2));
	pytarget_next(&target, &round);
	expect_version(&target, &round, 1);
	cr_assert(eq(int, (int)round.number, 1), "state was lost: %s", round.text);
	cr_assert(round.elapsed >= INTO_MS / 1000.0, "input() ended early: %s", round.text);
}

static const char *const sleep_mode[] = {"sleep", NULL};

ParameterizedTestParameters(idle, nothing_changed)
{
	return interpreters_params(sleep_mode);
}

/* Nothing to do is a success, and nothing happens. A file that was only touched did not change.
 */
ParameterizedTest(struct case_param *param, idle, nothing_changed, .fini = stop, .timeout = 120)
{
	struct round round;
	struct run run;

	pytarget_start(&target, &param->interpreter, "idle.py", param->mode, "0.4");
	run_attach(&run, target.pid);
	expect_status(&target, &run, 0);
	pytarget_edit(&target);
	pytarget_unedit(&target);
	run_attach(&run, target.pid);
	expect_status(&target, &run, 0);
	pytarget_fresh(&target, &round);
	expect_version(&target, &round, 0);
}

ParameterizedTestParameters(idle, without_bytecode)
{
	return interpreters_params(sleep_mode);
}

/* Nothing on disk says what the running source was. What is edited is new nonetheless, and what
 * was not edited (state.py, with its counter) is not run again. */
ParameterizedTest(struct case_param *param, idle, without_bytecode, .fini = stop,
		  .timeout = 120)
{
	struct round round;
	struct run run;
	long reached;

	pytarget_writes_bytecode = false;
	pytarget_start(&target, &param->interpreter, "idle.py", param->mode, "0.2");
	pytarget_fresh(&target, &round);
	reached = round.number;
	pytarget_edit(&target);
	run_attach(&run, target.pid);
	expect_status(&target, &run, 0);
	cr_assert(strstr(run.out, "state.py") == NULL, "%s", run.out);
	pytarget_fresh(&target, &round);
	expect_version(&target, &round, 1);
	cr_assert(lt(long, reached, round.number), "state was lost: %s", round.text);
}

/* It makes its GIL when it starts its first thread. */
Test(idle, python_3_6_with_a_gil, .fini = stop, .timeout = 120)
{
	const struct interpreter *python = interpreters_find(3, 6);
	struct round round;
	struct run run;

	if (!python)
		cr_skip_test("no CPython 3.6 on this machine");
	pytarget_start(&target, python, "idle.py", "threads", "0.1");
	for (int i = 1; i <= 2; i++) {
		pytarget_edit(&target);
		run_attach(&run, target.pid);
		expect_status(&target, &run, 0);
		pytarget_fresh(&target, &round);
		expect_version(&target, &round, i);
	}
}
