/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "src/watcher.h"

static char folder[] = "/tmp/watcher-XXXXXX";
static struct watcher watcher;

static const char *in_folder(const char *name)
{
	static char path[2][300];
	static unsigned turn;
	char *out = path[turn++ % 2];

	snprintf(out, sizeof(path[0]), "%s/%s", folder, name);
	return out;
}

static void write_file(const char *name)
{
	int fd = open(in_folder(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	cr_assert(le(int, 0, fd));
	cr_assert(eq(int, (int)write(fd, "x", 1), 1));
	close(fd);
}

static void set_up(void)
{
	struct hp_err err;

	cr_assert(not(zero(ptr, mkdtemp(folder))));
	write_file("m.py");
	cr_assert(eq(int, watcher_init(&watcher, &err), 0));
	cr_assert(eq(int, watcher_add(&watcher, "", in_folder("m.py"), &err), 0));
	cr_assert(not(watcher_take(&watcher)));
}

static void tear_down(void)
{
	char command[64];

	watcher_fini(&watcher);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_assert(eq(int, system(command), 0));
}

TestSuite(watcher, .init = set_up, .fini = tear_down);

Test(watcher, a_file_that_is_written_is_a_change_once)
{
	write_file("m.py");
	cr_assert(watcher_take(&watcher));
	cr_assert(not(watcher_take(&watcher)));
}

Test(watcher, a_file_is_no_change_before_it_is_closed)
{
	int fd = open(in_folder("m.py"), O_WRONLY | O_TRUNC);

	cr_assert(eq(int, (int)write(fd, "y", 1), 1));
	cr_assert(not(watcher_take(&watcher)));
	close(fd);
	cr_assert(watcher_take(&watcher));
}

Test(watcher, an_editors_write_and_rename_is_a_change)
{
	write_file(".m.py.swp");
	cr_assert(not(watcher_take(&watcher)));
	cr_assert(eq(int, rename(in_folder(".m.py.swp"), in_folder("m.py")), 0));
	cr_assert(watcher_take(&watcher));
	/* and the new file is watched as the old one was */
	write_file("m.py");
	cr_assert(watcher_take(&watcher));
}

Test(watcher, a_release_folder_moved_to_its_place_is_a_change)
{
	cr_assert(eq(int, mkdir(in_folder("new"), 0700), 0));
	cr_assert(not(watcher_take(&watcher)));
	cr_assert(eq(int, rename(in_folder("new"), in_folder("package")), 0));
	cr_assert(watcher_take(&watcher));
}

Test(watcher, other_files_are_no_change)
{
	write_file("log");
	write_file("m.pyc");
	write_file("m.py~");
	cr_assert(not(watcher_take(&watcher)));
}

Test(watcher, a_folder_that_is_not_there_is_left_out)
{
	struct hp_err err;

	cr_assert(eq(int, watcher_add(&watcher, "", "/no/such/folder/m.py", &err), 0));
	cr_assert(eq(int, watcher_add(&watcher, "", "relative.py", &err), 0));
	cr_assert(eq(sz, watcher.folders, 1));
}

Test(watcher, a_folder_is_found_below_another_root)
{
	struct hp_err err;
	char root[300];

	snprintf(root, sizeof(root), "%s/root", folder);
	cr_assert(eq(int, mkdir(root, 0700), 0));
	cr_assert(eq(int, mkdir(in_folder("root/srv"), 0700), 0));
	cr_assert(eq(int, watcher_add(&watcher, root, "/srv/m.py", &err), 0));
	write_file("root/srv/m.py");
	cr_assert(watcher_take(&watcher));
}

Test(watcher_judgement, an_overflow_counts_as_a_change)
{
	cr_assert(watcher_is_change(IN_Q_OVERFLOW, ""));
	cr_assert(not(watcher_is_change(IN_CLOSE_WRITE, ".py")));
	cr_assert(not(watcher_is_change(IN_CLOSE_WRITE, "")));
}
