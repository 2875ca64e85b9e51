/* SPDX-License-Identifier: MIT
 *
 * Two hundred attaches leave nothing behind: descriptors, threads, mappings and memory stay
 * flat.
 */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/integration/pytarget.h"
#include "tests/integration/snapshot.h"

#define ATTACHES 160
#define WARM_UP  40 /* more than the attaches that the target remembers */
/* With threads glibc has up to eight malloc arenas a core, and the worker takes one after the
 * other: until each has served some. */
#define WARM_UP_THREADS 240
/* Between the warm-up and the end. A leaked stack page, reply or image each time would be more
 * than 4 KiB, and 160 times that is 640 KiB. */
#define RSS_SLACK_KIB 512
/* Whichever thread is borrowed has a few pages of its stack touched, once. */
#define RSS_SLACK_THREAD_KIB 24
#define MAPS_SLACK           6

static struct pytarget target;
static struct snapshot first, warm, last;

static void stop(void)
{
	pytarget_stop(&target);
}

static void attach(bool edit)
{
	struct run run;

	if (edit)
		pytarget_edit(&target);
	run_attach(&run, target.pid);
	expect_status(&target, &run, 0);
	pytarget_drain(&target);
}

/* Attaches to warm up, and the most that was resident meanwhile: what glibc gives back at times
 * it takes again. */
static void warm_up(bool edit, int attaches)
{
	struct snapshot now;

	warm.rss_kib = 0;
	for (int i = 0; i < attaches; i++) {
		attach(edit);
		snapshot_take(&now, target.pid);
		if (now.rss_kib >= warm.rss_kib)
			warm = now;
	}
}

static void repeat(const struct interpreter *python, const char *mode, bool edit)
{
	const int warming = strcmp(mode, "threads") ? WARM_UP : WARM_UP_THREADS;
	struct round round;
	char text[8192];

	if (!python)
		cr_skip_test("no CPython 3.7 to 3.15 on this machine");
	pytarget_start(&target, python, "idle.py", mode, "0.2");
	pytarget_fresh(&target, &round);
	snapshot_take(&first, target.pid);
	warm_up(edit, warming);
	for (int i = 0; i < ATTACHES; i++)
		attach(edit);
	pytarget_fresh(&target, &round);
	snapshot_take(&last, target.pid);
	expect_version(&target, &round, edit ? warming + ATTACHES : 0);
	snapshot_compare(text, sizeof(text), &first, &last);
	if (text[0] != '\0')
		pytarget_fail(&target, "not left as found:\n%s", text);
	if (!interpreter_never_frees(python) &&
	    last.rss_kib > warm.rss_kib + RSS_SLACK_KIB +
				   (warm.thread_count - 1) * RSS_SLACK_THREAD_KIB)
		pytarget_fail(&target, "memory grew from %llu to %llu KiB",
			      (unsigned long long)warm.rss_kib,
			      (unsigned long long)last.rss_kib);
	if (last.map_count > warm.map_count + MAPS_SLACK)
		pytarget_fail(&target, "mappings grew from %zu to %zu", warm.map_count,
			      last.map_count);
	printf("%s: %d attaches, %llu KiB before, %llu after %d, %llu at the end\n",
	       target.label, warming + ATTACHES, (unsigned long long)first.rss_kib,
	       (unsigned long long)warm.rss_kib, warming, (unsigned long long)last.rss_kib);
}

Test(repeat, nothing_to_do, .fini = stop, .timeout = 900)
{
	repeat(interpreters_newest(), "collect", false);
}

Test(repeat, with_a_change_each_time, .fini = stop, .timeout = 900)
{
	repeat(interpreters_newest(), "collect", true);
}

Test(repeat, with_a_change_each_time_other_interpreter, .fini = stop, .timeout = 900)
{
	repeat(interpreters_other(), "collect", true);
}

Test(repeat, many_threads, .fini = stop, .timeout = 900)
{
	repeat(interpreters_other(), "threads", true);
}
