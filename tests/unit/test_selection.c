/* SPDX-License-Identifier: MIT
 *
 * Choosing processes, in a folder that looks like /proc: two gunicorns as systemd runs them, a
 * shell between, a notebook of each of two users.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/proc/cgroup.h"
#include "src/selection.h"

static char root[64];

static void write_file(int pid, const char *name, const char *text, size_t len)
{
	char path[128];
	FILE *to;

	snprintf(path, sizeof(path), "%s/%d/%s", root, pid, name);
	to = fopen(path, "we");
	cr_assert(to != NULL, "%s", path);
	cr_assert(eq(sz, fwrite(text, 1, len, to), len));
	cr_assert(eq(int, fclose(to), 0));
}

struct fake {
	int pid, parent;
	const char *exe, *command, *cgroup;
};

#define PYTHON "/usr/bin/python3.11"
#define SHOP   "0::/system.slice/shop.service\n"

static const struct fake fakes[] = {
	{1, 0, "/usr/lib/systemd/systemd", "/sbin/init", "0::/init.scope\n"},
	{100, 1, "/usr/bin/dash", "sh -c exec gunicorn shop:app", SHOP},
	{101, 100, PYTHON, "gunicorn: master [shop:app]", SHOP},
	{102, 101, PYTHON, "gunicorn: worker [shop:app]", SHOP},
	{103, 101, PYTHON, "gunicorn: worker [shop:app]", SHOP},
	{104, 103, "/usr/bin/convert", "convert a b", SHOP},
	{90, 104, PYTHON, "python3 -m helper", "0::/system.slice/shop.service/helpers\n"},
	{200, 1, PYTHON, "gunicorn: master [blog:app]",
	 "12:cpu,cpuacct:/shop.service\n1:name=systemd:/system.slice/blog.service\n0::/\n"},
	{300, 1, PYTHON, "jupyter",
	 "0::/user.slice/user-1000.slice/user@1000.service/app.slice/notebook.service\n"},
	{301, 1, PYTHON, "jupyter",
	 "0::/user.slice/user-1001.slice/user@1001.service/app.slice/notebook.service\n"},
	{400, 1, "/usr/bin/dash", "sh", "0::/system.slice/plain.service\n"},
	{500, 501, PYTHON, "a loop that /proc never shows", "0::/\n"},
	{501, 500, PYTHON, "of two", "0::/\n"},
};

static void make(const struct fake *fake)
{
	char path[128], text[256];

	snprintf(path, sizeof(path), "%s/%d", root, fake->pid);
	cr_assert(eq(int, mkdir(path, 0700), 0));
	snprintf(text, sizeof(text),
		 "%d (a) b) S %d 1 1 0 -1 4194560 1 1 1 1 1 1 1 1 20 0 1 0 4711 0 0\n",
		 fake->pid, fake->parent);
	write_file(fake->pid, "stat", text, strlen(text));
	write_file(fake->pid, "cgroup", fake->cgroup, strlen(fake->cgroup));
	snprintf(text, sizeof(text), "%s", fake->command);
	for (char *at = text; *at; at++)
		if (*at == ' ')
			*at = '\0';
	write_file(fake->pid, "cmdline", text, strlen(fake->command) + 1);
	write_file(fake->pid, "maps", "", 0);
	snprintf(path, sizeof(path), "%s/%d/exe", root, fake->pid);
	cr_assert(eq(int, symlink(fake->exe, path), 0));
}

static void setup(void)
{
	strcpy(root, "/tmp/hp-selection-XXXXXX");
	cr_assert(ne(ptr, mkdtemp(root), NULL));
	for (size_t i = 0; i < sizeof(fakes) / sizeof(fakes[0]); i++)
		make(&fakes[i]);
	setenv("HP_PROC_ROOT", root, 1);
}

static void teardown(void)
{
	char command[96];

	snprintf(command, sizeof(command), "rm -r %s", root);
	cr_assert(eq(int, system(command), 0));
}

static int choose(char *out, size_t size, const char *line, struct hp_err *err)
{
	char copy[512], *argv[16], *rest = copy;
	struct options options;
	int argc = 0, r;

	snprintf(copy, sizeof(copy), "pyhotpatch;status;%s", line);
	for (char *word; argc < 16 && (word = strsep(&rest, ";"));)
		argv[argc++] = word;
	argv[argc] = NULL;
	cr_assert(eq(int, options_parse(&options, argc, argv, stdout, err), 0), "%s",
		  err->text);
	r = selection_resolve(&options, err);
	out[0] = '\0';
	for (size_t i = 0; r == 0 && i < options.pid_count; i++)
		snprintf(out + strlen(out), size - strlen(out), "%s%d", i ? " " : "",
			 (int)options.pids[i]);
	options_fini(&options);
	return r;
}

static void expect_chosen(const char *line, const char *pids)
{
	struct hp_err err = {0};
	char found[256];

	cr_expect(eq(int, choose(found, sizeof(found), line, &err), 0), "%s: %s", line,
		  err.text);
	cr_expect(eq(str, found, pids), "for: %s", line);
}

static void expect_refused(const char *line, enum hp_err_kind kind, const char *text,
			   const char *hint)
{
	struct hp_err err = {0};
	char found[256];

	cr_expect(eq(int, choose(found, sizeof(found), line, &err), -1), "%s", line);
	cr_expect(eq(int, err.kind, kind), "%s", line);
	cr_expect(eq(str, err.text, text), "for: %s", line);
	cr_expect(ne(ptr, strstr(hp_err_hint_of(&err), hint), NULL), "for: %s: %s", line,
		  hp_err_hint_of(&err));
}

Test(selection, a_tree_is_the_pythons_below_and_with_it, .init = setup, .fini = teardown)
{
	expect_chosen("--tree;101", "90 101 102 103");
	expect_chosen("--tree;100", "90 101 102 103");
	expect_chosen("--tree;200", "200");
	expect_chosen("--tree;501", "500 501");
	expect_refused("--tree;400", HP_NO_PROCESS,
		       "neither process 400 nor a descendant of it is a Python", "");
	expect_refused("--tree;999", HP_NO_PROCESS, "there is no process 999", "list");
}

Test(selection, a_unit_is_its_control_group, .init = setup, .fini = teardown)
{
	expect_chosen("--unit;shop.service", "90 101 102 103");
	expect_chosen("--unit;shop", "90 101 102 103");
	expect_chosen("--unit;blog", "200"); /* v1, where a unit's name elsewhere means nothing
					      */
	expect_chosen("--unit;user@1001.service", "301");
	expect_refused("--unit;cart", HP_NO_PROCESS, "no process is in the unit cart.service",
		       "systemctl status cart");
	expect_refused("--unit;plain", HP_NO_PROCESS,
		       "no Python process is in the unit plain.service", "systemctl");
}

/* Each user has a manager with units of his own. */
Test(selection, a_unit_of_two_users_is_told_apart_by_its_group, .init = setup, .fini = teardown)
{
#define GROUP "/user.slice/user-1000.slice/user@1000.service/app.slice/notebook.service"
	expect_refused("--unit;notebook", HP_USAGE,
		       "several units are called notebook.service: " GROUP " and /user.slice/"
		       "user-1001.slice/user@1001.service/app.slice/notebook.service",
		       "--unit " GROUP);
	expect_chosen("--unit;" GROUP, "300");
}

Test(selection, a_pattern_is_for_the_command_line, .init = setup, .fini = teardown)
{
	expect_chosen("--match;gunicorn: worker", "102 103");
	expect_chosen("--match;^gunicorn: (master|worker) .blog", "200");
	expect_refused("--match;uvicorn", HP_NO_PROCESS,
		       "no Python process has a command line that matches 'uvicorn'", "list");
	/* what is none is none, whatever its words */
	expect_refused("--match;^sh", HP_NO_PROCESS,
		       "no Python process has a command line that matches '^sh'", "list");
}

Test(selection, each_is_chosen_once_and_numbers_come_first, .init = setup, .fini = teardown)
{
	expect_chosen("103;--unit;blog;--match;worker;77;--tree;101", "103 77 200 102 90 101");
}

/* The program that calls us with the pattern in its own command line. */
Test(selection, a_pattern_never_means_who_called, .init = setup, .fini = teardown)
{
	make(&(struct fake){getpid(), 102, PYTHON, "pyhotpatch --match worker", "0::/\n"});
	expect_chosen("--match;worker", "103");
	expect_chosen("--tree;101", "90 101 102 103");
}

Test(selection, lines_of_cgroup)
{
	static const struct {
		const char *text, *unit, *path;
	} cases[] = {
		{"0::/a/b.service/c\n", "b.service", "/a/b.service"},
		{"0::/a/b.service", "b.service", "/a/b.service"},
		{"0::/a/_b.service\n", "b.service", "/a/_b.service"},
		{"0::/a/bb.service\n", "b.service", NULL},
		{"0::/a/b.services\n", "b.service", NULL},
		{"0::/../b.service\n", "b.service", "/../b.service"},
		{"0:cpu:/b.service\n", "b.service", NULL},
		{"1:name=systemd:/b.service\n", "b.service", "/b.service"},
		{"1:name=other:/b.service\n", "b.service", NULL},
		{"7::/b.service\n", "b.service", NULL},
		{"0::/a\n0::/b.service\n", "b.service", "/b.service"},
		{"0::/a/b\n", "/a/b", "/a/b"},
		{"0::/a/b/c\n", "/a/b", "/a/b"},
		{"0::/a/bc\n", "/a/b", NULL},
		{"0::/a/b\n", "/", NULL},
		{"0::\n", "b.service", NULL},
		{"x::/b.service\n", "b.service", NULL},
		{"", "b.service", NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *path = NULL;
		size_t len = 0;
		bool found = cgroup_find_unit(&path, &len, cases[i].text, strlen(cases[i].text),
					      cases[i].unit);

		cr_assert(eq(int, found, cases[i].path != NULL), "%s", cases[i].text);
		if (found)
			cr_assert(len == strlen(cases[i].path) &&
					  !memcmp(path, cases[i].path, len),
				  "%s: %.*s", cases[i].text, (int)len, path);
	}
}
