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

static void expect(enum watcher_event event)
{
	cr_assert(eq(int, watcher_take(&watcher), event));
}

static void set_up(void)
{
	struct hp_err err;

	cr_assert(not(zero(ptr, mkdtemp(folder))));
	write_file("m.py");
	cr_assert(eq(int, watcher_init(&watcher, &err), 0));
	cr_assert(eq(int, watcher_add(&watcher, "", in_folder("m.py"), &err), 0));
	expect(WATCHER_NOTHING);
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
	expect(WATCHER_SOURCES);
	expect(WATCHER_NOTHING);
}

Test(watcher, a_file_is_no_change_before_it_is_closed)
{
	int fd = open(in_folder("m.py"), O_WRONLY | O_TRUNC);

	cr_assert(eq(int, (int)write(fd, "y", 1), 1));
	expect(WATCHER_NOTHING);
	close(fd);
	expect(WATCHER_SOURCES);
}

Test(watcher, an_editors_write_and_rename_is_a_change)
{
	write_file(".m.py.swp");
	expect(WATCHER_NOTHING);
	cr_assert(eq(int, rename(in_folder(".m.py.swp"), in_folder("m.py")), 0));
	expect(WATCHER_SOURCES);
	/* and the new file is watched as the old one was */
	write_file("m.py");
	expect(WATCHER_SOURCES);
}

Test(watcher, a_release_folder_moved_to_its_place_is_a_change)
{
	cr_assert(eq(int, mkdir(in_folder("new"), 0700), 0));
	expect(WATCHER_NOTHING);
	cr_assert(eq(int, rename(in_folder("new"), in_folder("package")), 0));
	expect(WATCHER_SOURCES);
}

Test(watcher, other_files_are_no_change)
{
	write_file("log");
	write_file("m.pyc");
	write_file("m.py~");
	expect(WATCHER_NOTHING);
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
	expect(WATCHER_SOURCES);
}

static void add(const char *root, const char *file)
{
	struct hp_err err;

	cr_assert(eq(int, watcher_add(&watcher, root, file, &err), 0), "%s", err.text);
	watcher_take(&watcher); /* what the test has made before */
}

static void make_release(const char *name)
{
	char file[64];

	cr_assert(eq(int, mkdir(in_folder(name), 0700), 0));
	snprintf(file, sizeof(file), "%s/m.py", name);
	write_file(file);
}

static void switch_to(const char *target, const char *link)
{
	cr_assert(eq(int, symlink(target, in_folder("next")), 0));
	cr_assert(eq(int, rename(in_folder("next"), in_folder(link)), 0));
}

Test(watcher, a_release_that_is_switched_by_a_link)
{
	make_release("r1");
	make_release("r2");
	switch_to("r1", "current");
	add("", in_folder("current/m.py"));
	expect(WATCHER_NOTHING);
	write_file("r1/m.py");
	expect(WATCHER_SOURCES);
	switch_to("r2", "current");
	expect(WATCHER_LINKS);
	add("", in_folder("current/m.py"));
	write_file("r2/m.py");
	expect(WATCHER_SOURCES);
	/* ln -sfn, as older ones do it */
	unlink(in_folder("current"));
	cr_assert(eq(int, symlink("r1", in_folder("current")), 0));
	expect(WATCHER_LINKS);
}

/* As Kubernetes mounts a ConfigMap: m.py -> ..data/m.py, ..data -> ..2026_1. */
Test(watcher, a_file_that_is_a_link_through_a_link)
{
	make_release("..1");
	make_release("..2");
	switch_to("..1", "..data");
	switch_to("..data/m.py", "linked.py");
	add("", in_folder("linked.py"));
	expect(WATCHER_NOTHING);
	switch_to("..2", "..data");
	expect(WATCHER_LINKS);
}

Test(watcher, an_absolute_link_below_another_root)
{
	make_release("srv");
	cr_assert(eq(int, mkdir(in_folder("app"), 0700), 0));
	switch_to("/srv/../srv/.", "app/current");
	add(folder, "/app/current/m.py");
	expect(WATCHER_NOTHING);
	write_file("srv/m.py");
	expect(WATCHER_SOURCES);
}

Test(watcher, links_that_lead_to_each_other)
{
	switch_to("b", "a");
	switch_to("a", "b");
	add("", in_folder("a/m.py"));
	expect(WATCHER_NOTHING);
	switch_to("c", "a");
	expect(WATCHER_LINKS);
}

Test(watcher_judgement, an_overflow_counts_as_a_change)
{
	cr_assert(watcher_is_change(IN_Q_OVERFLOW, ""));
	cr_assert(not(watcher_is_change(IN_CREATE, "m.py")));
	cr_assert(not(watcher_is_change(IN_CLOSE_WRITE, ".py")));
	cr_assert(not(watcher_is_change(IN_CLOSE_WRITE, "")));
}
