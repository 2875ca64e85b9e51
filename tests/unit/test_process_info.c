/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "src/process_info.h"

static pid_t sleeper;

static void start(void)
{
	char state = 0, path[64];

	sleeper = fork();
	if (sleeper == 0) {
		execlp("sleep", "sleep", "30", NULL);
		_exit(127);
	}
	/* until exec is over: the command line is ours before */
	snprintf(path, sizeof(path), "/proc/%d/comm", sleeper);
	for (int i = 0; i < 500 && state != 'l'; i++) {
		FILE *from = fopen(path, "re");
		char name[16] = "";

		if (from && fgets(name, sizeof(name), from))
			state = name[1];
		if (from)
			fclose(from);
		usleep(10000);
	}
}

static void stop(void)
{
	kill(sleeper, SIGKILL);
	waitpid(sleeper, NULL, 0);
}

Test(process_info, of_a_process_that_is_no_python, .init = start, .fini = stop)
{
	struct process_info info;

	process_info_get(&info, sleeper);
	cr_assert(eq(int, info.pid, sleeper));
	cr_assert(eq(str, info.command, "sleep 30"));
	cr_assert(ne(str, info.user, ""));
	cr_assert(info.uptime_s >= 0 && info.uptime_s < 60);
	cr_assert(info.obstacle_count >= 1);
	cr_assert(eq(int, info.obstacles[0].kind, HP_NOT_PYTHON), "%s", info.obstacles[0].text);
	cr_assert(eq(int, process_info_exit_status(&info), 5));
}

Test(process_info, of_nobody)
{
	struct process_info info;

	/* above the largest pid that Linux gives (PID_MAX_LIMIT, 2^22) */
	process_info_get(&info, 1 << 23);
	cr_assert(eq(int, process_info_exit_status(&info), 3), "%s", info.obstacles[0].text);
	cr_assert(eq(i64, info.uptime_s, -1));
	cr_assert(eq(str, info.command, ""));
}

Test(process_info, a_missing_payload_is_an_obstacle)
{
	struct process_info info = {.pid = 1};

	setenv("PYHOTPATCH_PAYLOAD", "/nonexistent/payload.so", 1);
	process_info_check_payload(&info);
	cr_assert(eq(sz, info.obstacle_count, 1));
	cr_assert(eq(int, process_info_exit_status(&info), 12));
}

Test(process_info, of_this_machine)
{
	struct machine_info info;

	setenv("PYHOTPATCH_PAYLOAD", "/proc/self/exe", 1);
	machine_info_get(&info);
	cr_assert(ne(str, info.payload, ""));
	cr_assert(ne(str, info.user, ""));
	cr_assert(ne(int, info.libunwind[0], 0));
	cr_assert(info.yama >= -1 && info.yama <= 3);
	cr_assert(info.may_trace == 0 || info.may_trace == 1);

	setenv("PYHOTPATCH_PAYLOAD", "/nonexistent/payload.so", 1);
	machine_info_get(&info);
	cr_assert(eq(str, info.payload, ""));
	cr_assert(info.obstacle_count >= 1);
}

/* It is loaded when a stack is to be walked; that it cannot be is said beforehand. No file can
 * be opened here. */
Test(process_info, of_a_machine_without_libunwind)
{
	struct rlimit files, none;
	struct machine_info info;
	size_t found = 0;

	setenv("PYHOTPATCH_PAYLOAD", "/proc/self/exe", 1);
	cr_assert(eq(int, getrlimit(RLIMIT_NOFILE, &files), 0));
	none = (struct rlimit){.rlim_max = files.rlim_max};
	cr_assert(eq(int, setrlimit(RLIMIT_NOFILE, &none), 0));
	machine_info_get(&info);
	cr_assert(eq(int, setrlimit(RLIMIT_NOFILE, &files), 0));
	cr_assert(eq(int, info.libunwind[0], 0));
	for (size_t i = 0; i < info.obstacle_count; i++)
		found += strstr(info.obstacles[i].text, "load libunwind") != NULL;
	cr_assert(eq(sz, found, 1));
}
