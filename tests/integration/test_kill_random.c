/* SPDX-License-Identifier: MIT
 *
 * pyhotpatch is killed at random instants of its life, on targets of each kind: 300 times, and
 * 2000 times in a campaign.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/deadline.h"
#include "tests/integration/campaign.h"
#include "tests/integration/pytarget.h"
#include "tests/integration/survival.h"

#define FRESH_AFTER 30 /* kills, where attaches become slower and slower */

static struct pytarget target;

static void stop(void)
{
	pytarget_stop(&target);
}

/* The shortest of a few attaches: the length of the life in which to kill. */
static int64_t usual_ns(void)
{
	int64_t shortest = INT64_MAX;
	struct run run;

	for (int i = 0; i < 5; i++) {
		pytarget_edit(&target);
		run_attach(&run, target.pid);
		expect_status(&target, &run, 0);
		if (run.elapsed_ns < shortest)
			shortest = run.elapsed_ns;
	}
	return shortest;
}

static bool kill_after(int64_t ns)
{
	char number[16];
	const char *argv[] = {pyhotpatch_path(), "attach", number, NULL};
	struct timespec wait = {ns / 1000000000, ns % 1000000000};
	struct running running;
	struct run run;

	snprintf(number, sizeof(number), "%d", target.pid);
	run_start(&running, argv);
	nanosleep(&wait, NULL);
	kill(running.pid, SIGKILL);
	run_finish(&run, &running, 10000);
	return run.status == -SIGKILL;
}

static void kill_at_random(const struct interpreter *python, const char *script,
			   const char *mode, int kills)
{
	unsigned seed = (unsigned)time(NULL) ^ (unsigned)getpid();
	struct survival survival = {0};
	int64_t usual;
	int killed = 0, tried = 0;

	if (!python)
		cr_skip_test("no such CPython 3.7 to 3.15 on this machine");
	survival_start(&survival, &target, python, script, mode);
	usual = usual_ns();
	srandom(seed);
	/* Those that had ended before are not kills: there are some more, within reason. */
	for (; killed < kills && tried < 3 * kills; tried++) {
		if (interpreter_never_frees(python) && tried % FRESH_AFTER == FRESH_AFTER - 1) {
			pytarget_stop(&target);
			survival_start(&survival, &target, python, script, mode);
		}
		int64_t after = (int64_t)((double)usual * 1.25 * (double)random() / RAND_MAX);

		pytarget_edit(&target);
		killed += kill_after(after);
		survival_check(&survival, "killed after %lld us (seed %u, number %d)",
			       (long long)after / 1000, seed, tried);
	}
	cr_assert(lt(int, kills / 3, killed), "only %d of %d kills came in time", killed,
		  tried);
	printf("%s: %d attaches, %d killed, within %.1f ms: %d times it was new, %d times old\n",
	       target.label, tried, killed, (double)usual * 1.25 / 1e6, survival.was_new,
	       survival.was_old);
}

Test(kill_random, idle, .fini = stop, .timeout = 3000)
{
	kill_at_random(interpreters_newest(), "idle.py", "sleep", campaign_size(450, 80));
}

Test(kill_random, busy, .fini = stop, .timeout = 3000)
{
	kill_at_random(interpreters_other(), "busy.py", "python", campaign_size(450, 80));
}

Test(kill_random, threads, .fini = stop, .timeout = 3000)
{
	kill_at_random(interpreters_newest(), "busy.py", "threads", campaign_size(450, 80));
}

Test(kill_random, debug_build, .fini = stop, .timeout = 3000)
{
	kill_at_random(interpreters_debug(), "busy.py", "sort", campaign_size(450, 40));
}

/* Each attach takes long here. */
Test(kill_random, holder_of_the_gil, .fini = stop, .timeout = 3000)
{
	kill_at_random(interpreters_embeddable(), NULL, "main", campaign_size(200, 20));
}
