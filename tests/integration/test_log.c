/* SPDX-License-Identifier: MIT
 *
 * The system's log: pyhotpatch runs in a mount namespace of its own, where /dev/log is a socket
 * that the test listens at.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/err.h"
#include "tests/integration/pytarget.h"

static struct pytarget target;
static struct run run;
static int heard = -1;

static void stop(void)
{
	if (heard >= 0)
		close(heard);
	pytarget_stop(&target);
}

static void listen_at(const char *dir)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	const struct timeval patience = {.tv_sec = 1};

	snprintf(at.sun_path, sizeof(at.sun_path), "%.90s/dev", dir);
	cr_assert(eq(int, mkdir(at.sun_path, 0755), 0));
	strcat(at.sun_path, "/log");
	heard = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert(ge(int, heard, 0));
	cr_assert(eq(int, bind(heard, (struct sockaddr *)&at, sizeof(at)), 0), "%s",
		  strerror(errno));
	setsockopt(heard, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

static void start(void)
{
	const struct interpreter *python = interpreters_newest();

	if (!python)
		cr_skip_test("no CPython that is served on this machine");
	run_command(&run, (const char *const[]){"unshare", "--mount", "true", NULL}, 10000);
	if (run.status != 0)
		cr_skip_test("no mount namespace can be made here: %s", run.err);
	pytarget_start(&target, python, "idle.py", "sleep", "0.1");
	listen_at(target.dir);
}

static void in_own_dev(const char *command, const char *option)
{
	char script[512];

	snprintf(script, sizeof(script), "mount --bind %s/dev /dev && exec \"$0\" \"$@\"",
		 target.dir);
	run_command(&run,
		    (const char *const[]){"unshare", "--mount", "--propagation", "private",
					  "sh", "-c", script, pyhotpatch_path(), command,
					  target.number, option, NULL},
		    60000);
}

/* The next message, or "" when none comes. */
static const char *message(void)
{
	static char text[4096];
	ssize_t len = recv(heard, text, sizeof(text) - 1, 0);

	text[len > 0 ? len : 0] = '\0';
	return text;
}

static void expect_message(const char *const parts[])
{
	const char *text = message();

	for (size_t i = 0; parts[i]; i++)
		cr_assert(ne(ptr, strstr(text, parts[i]), NULL), "'%s' is not in '%s'\n%s%s",
			  parts[i], text, run.out, run.err);
}

Test(log, each_change_is_one_line, .fini = stop, .timeout = 120)
{
	char name[64];

	start();
	snprintf(name, sizeof(name), "attach to process %s (", target.number);
	pytarget_edit(&target);
	in_own_dev("attach", NULL);
	expect_status(&target, &run, 0);
	/* <13>: facility user, level notice. */
	expect_message((const char *const[]){"<13>", "pyhotpatch[", name, "): applied ",
					     "edited", "; by ", NULL});
	in_own_dev("rollback", NULL);
	expect_status(&target, &run, 0);
	expect_message(
		(const char *const[]){"rollback in process ", "taken back: ", "edited", NULL});
	cr_assert(eq(int, message()[0], '\0'), "one line each");
}

Test(log, nothing_for_what_changed_nothing, .fini = stop, .timeout = 120)
{
	start();
	in_own_dev("attach", NULL);
	expect_status(&target, &run, 0);
	pytarget_write(&target, "edited.py", "def answer(:\n");
	in_own_dev("attach", NULL);
	expect_status(&target, &run, hp_err_exit_status(HP_SOURCE));
	pytarget_edit(&target);
	in_own_dev("plan", NULL);
	in_own_dev("attach", "--no-log");
	expect_status(&target, &run, 0);
	cr_assert(eq(int, message()[0], '\0'));
}
