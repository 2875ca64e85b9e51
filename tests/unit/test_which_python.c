/* SPDX-License-Identifier: MIT
 *
 * Which Python a process runs, among what it has mapped; and which processes have one.
 */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/target/parts.h"
#include "inject/target/target.h"
#include "victims.h"

static const char say_up[] = "import os, sys\nos.write(1, b'up\\n')\nsys.stdin.read()\n";

static int describe(struct target *out, const struct victim *victim, struct hp_err *err)
{
	return target_describe(out, victim->pid, TARGET_FULL, err);
}

Test(which_python, python_2_is_refused_by_name)
{
	struct interpreter all[32];
	size_t count = interpreters_find(all, 32), i = 0;

	while (i < count && all[i].major != 2)
		i++;
	if (i == count)
		cr_skip("no Python 2 is installed");
	struct victim victim = victim_python(all[i].path, say_up);
	struct target target;
	struct hp_err err = {0};
	char line[16];

	victim_read_line(&victim, line, sizeof(line));
	cr_assert(eq(int, describe(&target, &victim, &err), -1));
	cr_assert(eq(int, err.obstacle, OBSTACLE_PYTHON_2));
	cr_assert(ne(ptr, strstr(err.text, "Python 2 (2.7"), NULL), "%s", err.text);
	cr_assert(eq(int, target_describe(&target, victim.pid, TARGET_IDENTIFY, &err), 0));
	cr_assert(eq(int, target.python.kind, PYTHON_CPYTHON2));
	target_fini(&target);
	victim_end(&victim);
}

static bool is_listed(pid_t pid)
{
	pid_t *pids = NULL;
	size_t count = 0;
	bool found = false;
	struct hp_err err = {0};

	cr_assert(eq(int, target_find_pythons(&pids, &count, &err), 0), "%s", err.text);
	for (size_t i = 0; i < count; i++)
		found = found || pids[i] == pid;
	free(pids);
	return found;
}

/* Two Pythons with a library; skips the test when there are none. */
static void two_libraries(char first[600], char second[600])
{
	struct interpreter all[32];
	size_t count = interpreters_find(all, 32), found = 0;
	char library[600];

	for (size_t i = 0; i < count && found < 2; i++) {
		if (all[i].major != 3 || all[i].minor < 7 ||
		    !interpreter_library(library, sizeof(library), &all[i]))
			continue;
		if (found == 1 && !strcmp(library, first))
			continue;
		strcpy(found ? second : first, library);
		found++;
	}
	if (found < 2)
		cr_skip("fewer than two CPythons with a shared library are installed");
}

/* PYTHONHOME, so that the host finds the standard library of the one that it starts. */
static struct victim spawn_embedding(const char *first, const char *second, const char *started)
{
	const char *argv[] = {EMBED_VICTIM, first, second, NULL};
	const char *lib = strstr(started, "/lib/libpython");
	char home[700], line[16];
	const char *environment[] = {home, NULL};

	snprintf(home, sizeof(home), "PYTHONHOME=%.*s", (int)(lib - started), started);
	struct victim victim = victim_spawn(argv, environment);
	victim_read_line(&victim, line, sizeof(line));
	cr_assert(eq(str, line, "up"));
	return victim;
}

Test(which_python, a_private_python_in_another_program_is_found)
{
	char first[600], second[600], started[601];
	struct target target;
	struct hp_err err = {0};

	two_libraries(first, second);
	snprintf(started, sizeof(started), "+%s", first);
	struct victim victim = spawn_embedding(started, NULL, first);
	cr_assert(eq(int, describe(&target, &victim, &err), 0), "%s", err.text);
	cr_assert(eq(str, target.python.module->path, first));
	cr_assert(ne(u64, target_symbol(&target, "PyGILState_Ensure").v, 0));
	cr_assert(is_listed(victim.pid));
	target_fini(&target);
	victim_end(&victim);
}

Test(which_python, of_two_pythons_the_started_one_is_taken)
{
	char first[600], second[600], started[601];
	struct target target;
	struct hp_err err = {0};

	two_libraries(first, second);
	for (int round = 0; round < 2; round++) {
		const char *live = round ? second : first, *idle = round ? first : second;

		snprintf(started, sizeof(started), "+%s", live);
		struct victim victim = round ? spawn_embedding(idle, started, live)
					     : spawn_embedding(started, idle, live);
		cr_assert(eq(int, describe(&target, &victim, &err), 0), "%s", err.text);
		cr_assert(eq(str, target.python.module->path, live));
		const struct module *home =
			target_module_at(&target, target_symbol(&target, "PyGILState_Ensure"));
		cr_assert(eq(ptr, home, target.python.module));
		target_fini(&target);
		victim_end(&victim);
	}
}

Test(which_python, a_python_that_has_not_started_is_refused)
{
	char first[600], second[600];
	struct target target;
	struct hp_err err = {0};

	two_libraries(first, second);
	struct victim victim = spawn_embedding(first, second, first);
	cr_assert(eq(int, describe(&target, &victim, &err), -1));
	cr_assert(eq(int, err.obstacle, OBSTACLE_NOT_STARTED));
	cr_assert(ne(ptr, strstr(err.text, "has not started yet"), NULL), "%s", err.text);
	victim_end(&victim);
}

/* A global of __main__ is cleared when the interpreter is already marked as finalizing. */
static const char never_finish[] = "import os, sys, time\n"
				   "class Last:\n"
				   "    def __del__(self, write=os.write, sleep=time.sleep):\n"
				   "        write(1, b'fin\\n')\n"
				   "        sleep(1000)\n"
				   "last = Last()\n";

Test(which_python, a_python_that_shuts_down_is_refused, .timeout = 120)
{
	struct interpreter all[32];
	size_t count = interpreters_find(all, 32), tried = 0;

	for (size_t i = 0; i < count; i++) {
		struct target target;
		struct hp_err err = {0};
		char line[16];

		if (all[i].major != 3 || all[i].minor < 7 || all[i].minor > 13)
			continue;
		struct victim victim = victim_python(all[i].path, never_finish);
		victim_read_line(&victim, line, sizeof(line));
		cr_assert(eq(int, describe(&target, &victim, &err), -1), "%s", all[i].path);
		cr_assert(eq(int, err.obstacle, OBSTACLE_FINALIZING), "%s: %s", all[i].path,
			  err.text);
		victim_end(&victim);
		tried++;
	}
	cr_assert(lt(sz, 0, tried));
}

Test(which_python, a_preloaded_malloc_is_known)
{
	struct interpreter all[32];
	size_t count = interpreters_find(all, 32), tried = 0;
	const char *environment[] = {"LD_PRELOAD=" OWN_MALLOC, NULL};

	for (size_t i = 0; i < count; i++) {
		const char *argv[] = {all[i].path, "-c", say_up, NULL};
		struct target target;
		struct hp_err err = {0};
		char line[16];

		if (all[i].major != 3 || all[i].minor < 7 || all[i].minor > 13)
			continue;
		struct victim victim = victim_spawn(argv, environment);
		victim_read_line(&victim, line, sizeof(line));
		cr_assert(eq(int, describe(&target, &victim, &err), 0), "%s", err.text);
		cr_assert(eq(str, target.libc.malloc_module->path, OWN_MALLOC), "%s",
			  all[i].path);
		cr_assert(target.libc.malloc_module->loaded);
		target_fini(&target);
		victim_end(&victim);
		tried++;
	}
	cr_assert(lt(sz, 0, tried));
}

Test(which_python, a_program_that_is_only_called_python_is_told_so)
{
	char folder[] = "/tmp/test_target_XXXXXX", path[64];
	const char *argv[] = {path, "1000", NULL};
	struct target target;
	struct hp_err err = {0};

	cr_assert(ne(ptr, mkdtemp(folder), NULL));
	snprintf(path, sizeof(path), "%s/python3.12", folder);
	copy_file("/bin/sleep", path);
	struct victim victim = victim_spawn(argv, NULL);
	victim_await_state(&victim, "S");
	cr_assert(eq(int, describe(&target, &victim, &err), -1));
	cr_assert(eq(int, err.obstacle, OBSTACLE_NO_SYMBOLS));
	cr_assert(ne(ptr, strstr(err.text, "exports no functions"), NULL), "%s", err.text);
	victim_end(&victim);
	unlink(path);
	rmdir(folder);
}

Test(which_python, running_pythons_are_listed_and_others_not)
{
	const char *sleep_argv[] = {"/bin/sleep", "1000", NULL};
	struct victim sleeper = victim_spawn(sleep_argv, NULL);
	struct victim python = victim_python(interpreter_any().path, say_up);
	char line[16];

	victim_read_line(&python, line, sizeof(line));
	victim_await_state(&sleeper, "S");
	cr_assert(is_listed(python.pid));
	cr_assert(not(is_listed(sleeper.pid)));
	pid_t ended = python.pid;
	victim_end(&python);
	cr_assert(not(is_listed(ended)));
	victim_end(&sleeper);
}

/* The judgement alone, of descriptions that no process here could give. */
static struct hp_err judge(const struct python_info *python, const char *path, uint16_t machine,
			   uint8_t elf_class)
{
	struct module module = {
		.path = path,
		.image = {.machine = machine, .elf_class = elf_class},
	};
	struct target target = {.pid = 4711, .python = *python, .executable = &module};
	struct hp_err err = {0};

	if (python_check(&target, &err) == 0)
		cr_assert(eq(int, err.kind, HP_OK));
	return err;
}

Test(which_python, each_unsupported_one_has_its_own_sentence)
{
	static const struct {
		enum python_kind kind;
		uint8_t major, minor;
		uint16_t machine;
		uint8_t elf_class;
		enum hp_obstacle obstacle;
		const char *says;
	} cases[] = {
		{PYTHON_PYPY, 0, 0, EM_X86_64, ELFCLASS64, OBSTACLE_PYPY, "runs PyPy"},
		{PYTHON_GRAALPY, 0, 0, EM_X86_64, ELFCLASS64, OBSTACLE_GRAALPY, "runs GraalPy"},
		{PYTHON_CPYTHON2, 2, 7, EM_X86_64, ELFCLASS64, OBSTACLE_PYTHON_2,
		 "runs Python 2"},
		{PYTHON_CPYTHON, 3, 16, EM_X86_64, ELFCLASS64, OBSTACLE_NEW_PYTHON,
		 "runs CPython 3.16"},
		{PYTHON_CPYTHON, 3, 5, EM_X86_64, ELFCLASS64, OBSTACLE_OLD_PYTHON,
		 "runs CPython 3.5"},
		{PYTHON_CPYTHON, 0, 0, EM_X86_64, ELFCLASS64, OBSTACLE_OLD_PYTHON,
		 "unknown version"},
		{PYTHON_CPYTHON, 3, 12, EM_386, ELFCLASS32, OBSTACLE_WORD_SIZE,
		 "a 32-bit program"},
		{PYTHON_NONE, 0, 0, EM_386, ELFCLASS32, OBSTACLE_WORD_SIZE, "a 32-bit program"},
		{PYTHON_NONE, 0, 0, EM_AARCH64, ELFCLASS64, OBSTACLE_MACHINE,
		 "another machine"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct python_info python = {
			.kind = cases[i].kind,
			.major = cases[i].major,
			.minor = cases[i].minor,
			.initialized = true,
		};
		snprintf(python.version, sizeof(python.version), "%u.%u", cases[i].major,
			 cases[i].minor);
		struct hp_err err = judge(&python, "/x", cases[i].machine, cases[i].elf_class);
		cr_assert(eq(int, err.obstacle, cases[i].obstacle), "%s", cases[i].says);
		cr_assert(ne(ptr, strstr(err.text, cases[i].says), NULL), "%s", err.text);
	}
}

Test(which_python, each_supported_version_passes)
{
	for (uint8_t minor = 6; minor <= 15; minor++) {
		struct python_info python = {.kind = PYTHON_CPYTHON,
					     .major = 3,
					     .minor = minor,
					     .initialized = true};

		cr_assert(eq(int, judge(&python, "/x", EM_X86_64, ELFCLASS64).kind, HP_OK),
			  "3.%u", minor);
	}
}

static enum hp_obstacle judge_libc(struct module *modules, size_t count)
{
	struct target target = {.pid = 4711, .modules = modules, .module_count = count};
	struct hp_err err = {0};

	cr_assert(eq(int, libc_find(&target, &err), -1));
	return err.obstacle;
}

Test(which_python, a_libc_that_is_not_served_is_told)
{
	struct module none = {.path = "/srv/static-python"};

	cr_assert(eq(int, judge_libc(&none, 1), OBSTACLE_STATIC_LIBC));
}

Test(which_python, a_libc_without_the_code_that_we_return_through_is_told)
{
	struct module bare = {.path = "/srv/libc.so.6", .loaded = true};
	struct module musl = {.path = "/lib/ld-musl-x86_64.so.1", .loaded = true};
	struct module same = {.path = "/usr/lib/x86_64-linux-musl/libc.so", .loaded = true};

	cr_assert(eq(int, judge_libc(&bare, 1), OBSTACLE_LIBC_CODE));
	cr_assert(eq(int, judge_libc(&musl, 1), OBSTACLE_LIBC_CODE));
	cr_assert(eq(int, judge_libc(&same, 1), OBSTACLE_LIBC_CODE));
}

/* Lower in memory than the real one, since loaded later: the first that is found. */
Test(which_python, a_library_that_is_only_called_libc_is_passed_over)
{
	char folder[] = "/tmp/test_target_XXXXXX", path[64], code[256], line[16];
	struct target target;
	struct hp_err err = {0};

	cr_assert(ne(ptr, mkdtemp(folder), NULL));
	snprintf(path, sizeof(path), "%s/libc.so.6", folder);
	copy_file(OWN_MALLOC, path);
	snprintf(code, sizeof(code), "import ctypes\nctypes.CDLL('%s')\n%s", path, say_up);
	struct victim victim = victim_python(interpreter_any().path, code);
	victim_read_line(&victim, line, sizeof(line));
	cr_assert(eq(str, line, "up"));
	cr_assert(eq(int, describe(&target, &victim, &err), 0), "%s", err.text);
	cr_assert(ne(str, target.libc.module->path, path));
	target_fini(&target);
	victim_end(&victim);
	unlink(path);
	rmdir(folder);
}
