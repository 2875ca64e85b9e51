/* SPDX-License-Identifier: MIT
 *
 * A target whose threads are always in malloc, in the dynamic loader, in thread creation or in
 * an import: 300 attaches, over two interpreters, without a hang and without a crash.
 */
#include <stdio.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/integration/pytarget.h"

#define ATTACHES 150

static struct pytarget target;

static void stop(void)
{
	pytarget_stop(&target);
}

static void storm(const struct interpreter *python)
{
	struct round round;
	struct run run;
	int64_t longest_ns = 0;

	if (!python)
		cr_skip_test("no CPython 3.7 to 3.15 on this machine");
	pytarget_start(&target, python, "busy.py", "storm", "0");
	for (int i = 1; i <= ATTACHES; i++) {
		pytarget_edit(&target);
		run_attach(&run, target.pid);
		expect_status(&target, &run, 0);
		if (run.elapsed_ns > longest_ns)
			longest_ns = run.elapsed_ns;
		pytarget_drain(&target);
		if (i % 10 != 0)
			continue;
		pytarget_fresh(&target, &round);
		expect_version(&target, &round, i);
	}
	printf("%s: %d attaches, the longest took %.0f ms\n", target.label, ATTACHES,
	       (double)longest_ns / 1e6);
}

Test(storm, newest_interpreter, .fini = stop, .timeout = 280)
{
	storm(interpreters_newest());
}

Test(storm, other_interpreter, .fini = stop, .timeout = 280)
{
	storm(interpreters_other());
}
