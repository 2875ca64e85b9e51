/* SPDX-License-Identifier: MIT
 *
 * What a killed attach leaves, a memfd of ours that nobody has locked, is closed by the next
 * one; and nothing else is.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tests/integration/pytarget.h"
#include "tests/integration/snapshot.h"

#define NUMBER "60"

static struct pytarget target;
static struct snapshot before;
static struct run run;

static void stop(void)
{
	pytarget_stop(&target);
}

/* New module code is a way to be at work in the target in the middle of an attach. */
static void attach_with(const char *text)
{
	pytarget_edit(&target);
	pytarget_append(&target, text);
	run_attach(&run, target.pid);
	expect_status(&target, &run, 0);
}

static void expect_descriptor(const char *wanted)
{
	char path[64], link[64] = "";

	snprintf(path, sizeof(path), "/proc/%d/fd/" NUMBER, target.pid);
	/* In another root, that is in front. */
	if (readlink(path, link, sizeof(link) - 1) < 0 || !strstr(link, wanted))
		pytarget_fail(&target, "descriptor " NUMBER " is %s instead of %s", link,
			      wanted);
}

static void start(const char *what)
{
	const struct interpreter *python = interpreters_newest();

	if (!python || python->minor < 8)
		cr_skip_test("no CPython 3.8 to 3.15 on this machine");
	pytarget_start(&target, python, "idle.py", "sleep", "0.03");
	snapshot_take(&before, target.pid);
	attach_with(what);
	expect_descriptor("/memfd:pyhotpatch (deleted)");
}

static const char abandoned[] = "\nimport os\n"
				"fd = os.memfd_create('pyhotpatch')\n"
				"left = os.dup2(fd, " NUMBER ") and os.close(fd)\n";
static const char in_use[] = "\nimport fcntl, os\n"
			     "fd = os.memfd_create('pyhotpatch')\n"
			     "left = os.dup2(fd, " NUMBER ")\n"
			     "lock = fcntl.lockf(" NUMBER ", fcntl.LOCK_EX)\n";

Test(leftovers, the_next_attach_closes_it, .fini = stop, .timeout = 60)
{
	start(abandoned);
	attach_with(abandoned);
	expect_version_as_found(&target, &before, 2);
}

/* After we have looked at it: what has its number is not ours. */
Test(leftovers, a_number_that_is_another_files_meanwhile, .fini = stop, .timeout = 60)
{
	start(abandoned);
	attach_with("\nimport os\nother = os.dup2(os.open('/dev/null', os.O_RDONLY), " NUMBER
		    ")\n");
	expect_descriptor("/dev/null");
}

Test(leftovers, one_that_is_locked_stays, .fini = stop, .timeout = 60)
{
	start(in_use);
	attach_with(in_use);
	expect_descriptor("/memfd:pyhotpatch (deleted)");
}
