/* SPDX-License-Identifier: MIT
 *
 * The harness tests itself: an observer that sees nothing would pass everything.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/integration/pytarget.h"
#include "tests/integration/snapshot.h"

static struct pytarget target;
static struct snapshot before, after;

static void stop(void)
{
	pytarget_stop(&target);
}

static void start(const char *mode)
{
	const struct interpreter *python = interpreters_newest();

	if (!python)
		cr_skip_test("no CPython 3.7 to 3.15 on this machine");
	pytarget_start(&target, python, "idle.py", mode, "0.3");
}

Test(harness, at_least_one_interpreter_is_found)
{
	size_t count;

	interpreters_all(&count);
	cr_assert(lt(sz, 0, count));
	cr_assert(interpreters_newest() != NULL);
}

Test(harness, an_undisturbed_target_does_not_differ, .fini = stop)
{
	char text[4096];

	start("sleep");
	sleep_ms(450);
	snapshot_take(&before, target.pid);
	sleep_ms(300);
	snapshot_take(&after, target.pid);
	snapshot_compare(text, sizeof(text), &before, &after);
	cr_assert(eq(str, text, ""));
	cr_assert(lt(sz, 10, before.map_count));
	cr_assert(ge(sz, before.fd_count, 3));
	cr_assert(eq(sz, before.thread_count, 1));
}

Test(harness, a_traced_and_stopped_thread_is_seen, .fini = stop)
{
	char text[4096];

	start("sleep");
	snapshot_take(&before, target.pid);
	cr_assert(eq(int, (int)ptrace(PTRACE_SEIZE, target.pid, 0, 0), 0));
	ptrace(PTRACE_INTERRUPT, target.pid, 0, 0);
	waitpid(target.pid, NULL, __WALL);
	snapshot_take(&after, target.pid);
	ptrace(PTRACE_DETACH, target.pid, 0, 0);
	snapshot_compare(text, sizeof(text), &before, &after);
	cr_assert(strstr(text, "is traced by") != NULL, "%s", text);
	cr_assert(strstr(text, "is in state t") != NULL, "%s", text);
}

/* What two different processes differ in must be found: threads, descriptors, mappings. */
Test(harness, differences_are_seen, .fini = stop)
{
	char text[65536];

	start("threads");
	snapshot_take(&before, target.pid);
	snapshot_take(&after, getpid());
	snapshot_compare(text, sizeof(text), &before, &after);
	cr_assert(strstr(text, "threads instead of") != NULL, "%s", text);
	cr_assert(strstr(text, "descriptor") != NULL, "%s", text);
	cr_assert(strstr(text, "is gone") != NULL, "%s", text);
	cr_assert(strstr(text, "mapping") != NULL, "%s", text);
}

Test(harness, too_much_memory_is_seen)
{
	char text[4096];

	memset(&before, 0, sizeof(before));
	memset(&after, 0, sizeof(after));
	after.map_count = 1;
	after.maps[0] = (struct snapshot_map){0, 72 << 20, "rw-p", ""};
	snapshot_compare(text, sizeof(text), &before, &after);
	cr_assert(eq(str, text, ""));
	after.maps[0].end += 16 << 20;
	snapshot_compare(text, sizeof(text), &before, &after);
	cr_assert(strstr(text, "anonymous memory") != NULL, "%s", text);
	after.maps[0] = (struct snapshot_map){0, 4096, "r-xp", ""};
	snapshot_compare(text, sizeof(text), &before, &after);
	cr_assert(strstr(text, "r-xp") != NULL, "%s", text);
}

Test(harness, rounds_are_read_and_edits_reach_the_disk, .fini = stop)
{
	struct round round;

	start("sleep");
	pytarget_next(&target, &round);
	cr_assert(eq(int, round.version, 0));
	cr_assert(eq(int, (int)round.number, 1));
	cr_assert(round.elapsed >= 0.295, "%s", round.text);
	pytarget_edit(&target);
	pytarget_fresh(&target, &round);
	cr_assert(eq(int, round.version, 0));
	const char *argv[] = {"grep", "-rl", "\"v1\"", target.dir, NULL};
	struct run run;
	run_command(&run, argv, 5000);
	expect_text(&run, run.out, "edited.py");
	expect_text(&run, run.out, "second.py");
}

Test(harness, a_program_that_does_not_end_is_ended)
{
	const char *argv[] = {"sh", "-c", "echo said; sleep 100", NULL};
	struct run run;

	run_command(&run, argv, 300);
	cr_assert(eq(int, run.timed_out, 1));
	cr_assert(eq(str, run.out, "said\n"));
}
