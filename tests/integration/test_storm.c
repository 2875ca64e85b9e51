/* SPDX-License-Identifier: MIT
 *
 * Targets that are always in malloc, in the dynamic loader, in thread creation or in an import,
 * with one thread and with many, and with each allocator that can be put in the place of
 * libc's: attach after attach, without a hang and without a crash.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/integration/campaign.h"
#include "tests/integration/pytarget.h"

static struct pytarget target;

static void stop(void)
{
	pytarget_stop(&target);
}

/* A number of the JSON that attach writes. */
static long number_of(const struct run *run, const char *key)
{
	const char *at = strstr(run->out, key);

	cr_assert(ne(ptr, at, NULL), "no %s in %s", key, run->out);
	return strtol(at + strlen(key) + strlen("\":"), NULL, 10);
}

static void storm(const struct interpreter *python, const char *mode, int attaches)
{
	int64_t longest_ns = 0;
	long stops = 0, unsafe = 0;
	struct round round;
	struct run run;

	if (!python)
		cr_skip_test("no CPython 3.7 to 3.15 on this machine");
	pytarget_start(&target, python, "busy.py", mode, "0");
	for (int i = 1; i <= attaches; i++) {
		pytarget_edit(&target);
		run_pyhotpatch(&run,
			       (const char *const[]){"attach", "--json", target.number, NULL});
		expect_status(&target, &run, 0);
		stops += number_of(&run, "\"stops");
		unsafe += number_of(&run, "\"unsafe_stops");
		if (run.elapsed_ns > longest_ns)
			longest_ns = run.elapsed_ns;
		pytarget_drain(&target);
		if (i % 10 != 0)
			continue;
		pytarget_fresh(&target, &round);
		expect_version(&target, &round, i);
	}
	printf("%s%s%s: %d attaches, %ld stops, %ld of them unsafe, the longest took %.0f ms\n",
	       target.label, pytarget_preload ? " " : "",
	       pytarget_preload ? pytarget_preload : "", attaches, stops, unsafe,
	       (double)longest_ns / 1e6);
}

Test(storm, many_threads, .fini = stop, .timeout = 3000)
{
	storm(interpreters_newest(), "storm", campaign_size(500, 100));
}

Test(storm, many_threads_other_interpreter, .fini = stop, .timeout = 3000)
{
	storm(interpreters_other(), "storm", campaign_size(500, 100));
}

Test(storm, one_thread, .fini = stop, .timeout = 3000)
{
	storm(interpreters_newest(), "alone", campaign_size(500, 60));
}

Test(storm, one_thread_other_interpreter, .fini = stop, .timeout = 3000)
{
	storm(interpreters_other(), "alone", campaign_size(500, 60));
}

/* ---- other allocators ---- */

/* Every object of Python's from malloc, where Python allows it. */
static void python_from_malloc(const struct interpreter *python)
{
	if (!python || python->free_threaded)
		unsetenv("PYTHONMALLOC");
	else
		setenv("PYTHONMALLOC", "malloc", 1);
}

static void storm_on(const struct interpreter *python, const char *mode, const char *library)
{
	static char path[256];
	char seen[512];

	if (!python || python->musl)
		cr_skip_test("no CPython 3.7 to 3.15 with glibc on this machine");
	snprintf(path, sizeof(path), "/usr/lib/x86_64-linux-gnu/%s", library);
	snprintf(seen, sizeof(seen), "%s%s", python->root, path);
	if (access(seen, R_OK) < 0)
		cr_skip_test("no such allocator on this machine, or in that root");
	pytarget_preload = path;
	python_from_malloc(python);
	storm(python, mode, campaign_size(200, 20));
}

static void storm_with(const char *library)
{
	storm_on(interpreters_newest(), "storm", library);
	pytarget_stop(&target);
	storm_on(interpreters_other(), "alone", library);
}

Test(storm, jemalloc, .fini = stop, .timeout = 3000)
{
	storm_with("libjemalloc.so.2");
}

Test(storm, tcmalloc, .fini = stop, .timeout = 3000)
{
	storm_with("libtcmalloc_minimal.so.4");
}

Test(storm, mimalloc, .fini = stop, .timeout = 3000)
{
	storm_with("libmimalloc.so.2");
}
