/* SPDX-License-Identifier: MIT
 *
 * Targets that work, in Python, in C without the GIL, in C with it, and in several threads;
 * each checks its own results.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/integration/pytarget.h"
#include "tests/integration/snapshot.h"

static struct pytarget target;

static void stop(void)
{
	pytarget_stop(&target);
}

static const char *const modes[] = {"python", "hash", "sort", "threads", NULL};

ParameterizedTestParameters(busy, attach_thrice)
{
	return interpreters_params(modes);
}

ParameterizedTest(struct case_param *param, busy, attach_thrice, .fini = stop, .timeout = 120)
{
	struct round round;
	struct run run;
	size_t threads;
	long last = 0;

	pytarget_start(&target, &param->interpreter, "busy.py", param->mode, "0");
	pytarget_fresh(&target, &round);
	threads = pytarget_threads(&target);
	for (int i = 1; i <= 3; i++) {
		pytarget_edit(&target);
		run_attach(&run, target.pid);
		expect_status(&target, &run, 0);
		cr_assert(eq(sz, pytarget_threads(&target), threads));
		pytarget_fresh(&target, &round);
		expect_version(&target, &round, i);
		cr_assert(lt(long, last, round.number), "state was lost: %s", round.text);
		last = round.number;
	}
}
