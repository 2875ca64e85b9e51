/* SPDX-License-Identifier: MIT
 *
 * What cannot be served: one clear sentence, its own exit status, and nothing happens to
 * anyone.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/cleanup.h"
#include "inject/base/err.h"
#include "tests/integration/pytarget.h"
#include "tests/integration/snapshot.h"

static struct pytarget target;
static struct running other; /* a process that is no pytarget */
static struct snapshot before, after;
static struct run run;

static void stop(void)
{
	if (other.pid > 0) {
		kill(other.pid, SIGKILL);
		run_finish(&run, &other, 5000);
	}
	pytarget_stop(&target);
}

/* The newest interpreter, waiting in rounds of 0.3 s. */
static void start_idle(void)
{
	const struct interpreter *python = interpreters_newest();

	if (!python)
		cr_skip_test("no CPython 3.7 to 3.15 on this machine");
	pytarget_start(&target, python, "idle.py", "sleep", "0.3");
	sleep_ms(100);
	snapshot_take(&before, target.pid);
}

static void expect_untouched(void)
{
	struct round round;
	char text[4096];

	snapshot_take(&after, target.pid);
	snapshot_compare(text, sizeof(text), &before, &after);
	if (text[0] != '\0')
		pytarget_fail(&target, "not left as found:\n%s", text);
	pytarget_fresh(&target, &round);
	expect_version(&target, &round, 0);
}

/* Attach to pid; the status must be that of `kind` and the message must hold `word`. */
static void expect_refusal(pid_t pid, enum hp_err_kind kind, const char *word)
{
	char number[16];

	run_attach(&run, pid);
	if (target.pid > 0)
		expect_status(&target, &run, hp_err_exit_status(kind));
	cr_assert(eq(int, run.status, hp_err_exit_status(kind)), "out: %s\nerr: %s", run.out,
		  run.err);
	expect_text(&run, run.err, word);
	snprintf(number, sizeof(number), "%d", pid);
	expect_text(&run, run.err, number);
	cr_assert(strstr(run.err, "Traceback") == NULL || kind == HP_SOURCE, "%s", run.err);
}

Test(refuse, no_such_process)
{
	expect_refusal(4194303, HP_NO_PROCESS, "process");
}

Test(refuse, not_a_python, .fini = stop)
{
	run_start(&other, (const char *const[]){"sleep", "60", NULL});
	sleep_ms(100);
	expect_refusal(other.pid, HP_NOT_PYTHON, "python");
}

/* A script, run by an interpreter that pytarget's sources do not suit. */
static void start_script(const struct interpreter *python, const char *script)
{
	const char *const argv[] = {"chroot", python->root, python->path, "-c", script, NULL};

	run_start(&other, python->root[0] ? argv : argv + 2);
	sleep_ms(500);
}

Test(refuse, python_2, .fini = stop)
{
	const struct interpreter *python = interpreters_find(2, 7);

	if (!python)
		cr_skip_test("no Python 2.7 on this machine");
	start_script(python, "import time\ntime.sleep(60)");
	expect_refusal(other.pid, HP_UNSUPPORTED, "2.7");
}

Test(refuse, pypy, .fini = stop)
{
	if (access("/usr/bin/pypy3", X_OK) < 0)
		cr_skip_test("no PyPy on this machine (Debian's pypy3)");
	run_start(&other,
		  (const char *const[]){"pypy3", "-c", "import time; time.sleep(60)", NULL});
	sleep_ms(1500);
	expect_refusal(other.pid, HP_UNSUPPORTED, "runs PyPy");
}

/* It needs no libraries, so that none for that machine need be installed. */
Test(refuse, a_32_bit_program, .fini = stop)
{
	const char *program = getenv("PYHOTPATCH_NARROW");

	if (!program || access(program, X_OK) < 0)
		cr_skip_test("this compiler makes no 32-bit programs");
	run_start(&other, (const char *const[]){program, NULL});
	sleep_ms(200);
	if (waitpid(other.pid, NULL, WNOHANG) == other.pid) {
		other.pid = 0;
		cr_skip_test("this kernel runs no 32-bit programs");
	}
	expect_refusal(other.pid, HP_UNSUPPORTED, "a 32-bit program");
}

/* Linked without --export-dynamic, as programs that freeze a Python into themselves are. */
Test(refuse, a_python_without_symbols, .fini = stop)
{
	const char *program = getenv("PYHOTPATCH_QUIET");

	if (!program || access(program, X_OK) < 0)
		cr_skip_test("no libpython3.11.a to link statically (Debian's libpython3-dev)");
	run_start(&other,
		  (const char *const[]){program, "-c", "import time; time.sleep(60)", NULL});
	sleep_ms(1000);
	expect_refusal(other.pid, HP_UNSUPPORTED, "exports no functions of CPython");
}

Test(refuse, python_3_6_without_a_gil, .fini = stop)
{
	const struct interpreter *python = interpreters_find(3, 6);

	if (!python)
		cr_skip_test("no Python 3.6 on this machine");
	start_script(python, "import time\ntime.sleep(60)");
	expect_refusal(other.pid, HP_UNSUPPORTED, "3.6");
	cr_assert(eq(int, kill(other.pid, 0), 0));
}

Test(refuse, another_users_process, .fini = stop)
{
	char copy[512], number[16];

	if (geteuid() != 0)
		cr_skip_test("only root can become somebody else");
	start_idle();
	pytarget_copy_program(&target, copy, sizeof(copy));
	pytarget_edit(&target);
	snprintf(number, sizeof(number), "%d", target.pid);
	run_command(&run,
		    (const char *const[]){"setpriv", "--reuid", "65534", "--regid", "65534",
					  "--clear-groups", copy, "attach", number, NULL},
		    20000);
	expect_status(&target, &run, hp_err_exit_status(HP_PERMISSION));
	expect_text(&run, run.err, "root");
	expect_untouched();
}

Test(refuse, already_traced, .fini = stop)
{
	char tracer[16];
	int status;

	if (interpreters_newest() && interpreters_newest()->minor >= 14)
		cr_skip_test("from 3.14 on it is served: script_entry::a_traced_process");
	start_idle();
	pid_t child = fork();
	if (child == 0) {
		if (ptrace(PTRACE_SEIZE, target.pid, 0, 0) != 0)
			_exit(1);
		for (;;)
			pause();
	}
	sleep_ms(200);
	snprintf(tracer, sizeof(tracer), "%d", child);
	pytarget_edit(&target);
	expect_refusal(target.pid, HP_TRACED, tracer);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	cr_assert(eq(int, WIFSIGNALED(status) ? 1 : 0, 1), "the tracer could not seize");
	expect_untouched();
}

/* Also on an older Python, which does not know the switch itself. */
Test(refuse, forbidden_by_its_environment, .fini = stop, .timeout = 60)
{
	struct round round;

	setenv("PYTHON_DISABLE_REMOTE_DEBUG", "1", 1);
	start_idle();
	pytarget_edit(&target);
	expect_refusal(target.pid, hp_obstacle_kind(OBSTACLE_REMOTE_DEBUG_OFF),
		       "PYTHON_DISABLE_REMOTE_DEBUG");
	expect_untouched();
	run_pyhotpatch(&run, (const char *const[]){"attach", "--force", target.number, NULL});
	expect_status(&target, &run, 0);
	pytarget_fresh(&target, &round);
	expect_version(&target, &round, 1);
}

Test(refuse, stopped, .fini = stop)
{
	start_idle();
	pytarget_edit(&target);
	kill(target.pid, SIGSTOP);
	sleep_ms(100);
	expect_refusal(target.pid, HP_STOPPED, "stopped");
	snapshot_take(&after, target.pid);
	cr_assert(eq(int, after.threads[0].state, 'T'), "it must stay stopped");
	kill(target.pid, SIGCONT);
	expect_untouched();
}

Test(refuse, zombie)
{
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	sleep_ms(100);
	expect_refusal(child, HP_ZOMBIE, "ended");
	waitpid(child, NULL, 0);
}

static const char broken_syntax[] = "VALUE = 1\n\n\ndef answer(:\n    return 2\n";
static const char broken_body[] = "VALUE = 1\n\n\ndef answer():\n    return 2\n\n\n"
				  "RATIO = 1 / 0\n";

static const char *const sleep_mode[] = {"sleep", NULL};

ParameterizedTestParameters(refuse, syntax_error)
{
	return interpreters_params(sleep_mode);
}

/* One of two modules is broken: the sound one must not change either. */
static void expect_source_error(struct case_param *param, const char *text, const char *error,
				const char *line)
{
	struct round round;
	char file[320];

	pytarget_start(&target, &param->interpreter, "idle.py", param->mode, "0.3");
	sleep_ms(100);
	snapshot_take(&before, target.pid);
	pytarget_edit(&target);
	pytarget_write(&target, "edited.py", text);
	run_attach(&run, target.pid);
	expect_status(&target, &run, hp_err_exit_status(HP_SOURCE));
	snprintf(file, sizeof(file), "%s/edited.py", target.dir);
	expect_text(&run, run.err, file);
	expect_text(&run, run.err, line);
	expect_text(&run, run.err, error);
	expect_untouched();
	/* Mended, it applies. */
	pytarget_edit(&target);
	run_attach(&run, target.pid);
	expect_status(&target, &run, 0);
	pytarget_fresh(&target, &round);
	expect_version(&target, &round, target.version);
}

ParameterizedTest(struct case_param *param, refuse, syntax_error, .fini = stop, .timeout = 60)
{
	expect_source_error(param, broken_syntax, "SyntaxError", "line 4");
}

ParameterizedTestParameters(refuse, exception)
{
	return interpreters_params(sleep_mode);
}

ParameterizedTest(struct case_param *param, refuse, exception, .fini = stop, .timeout = 60)
{
	expect_source_error(param, broken_body, "ZeroDivisionError", "line 8");
}

static const char endless_body[] = "VALUE = 1\n\n\ndef answer():\n    return 2\n\n\n"
				   "while True:\n    VALUE = 2\n";
static const char asleep_body[] = "VALUE = 1\n\n\ndef answer():\n    return 2\n\n\n"
				  "import time\ntime.sleep(2.5)\n";

static void attach_in_vain(const char *message)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", target.pid);
	run_pyhotpatch(&run, (const char *const[]){"attach", "--timeout", "0.7", number, NULL});
	expect_status(&target, &run, hp_err_exit_status(HP_TIMEOUT));
	expect_text(&run, run.err, "the new module code had not ended");
	expect_text(&run, run.err, message);
	while (pytarget_threads(&target) > 1)
		sleep_ms(50);
}

/* New module code that does not end in time. The thread that ends it leaves an arena of malloc;
 * the second time nothing more is left. */
static void expect_ended(struct case_param *param, const char *text, const char *message)
{
	struct round round;

	pytarget_start(&target, &param->interpreter, "idle.py", param->mode, "0.3");
	sleep_ms(100);
	pytarget_edit(&target);
	pytarget_write(&target, "edited.py", text);
	attach_in_vain(message);
	snapshot_take(&before, target.pid);
	attach_in_vain(message);
	expect_untouched();
	pytarget_edit(&target);
	run_attach(&run, target.pid);
	expect_status(&target, &run, 0);
	pytarget_fresh(&target, &round);
	expect_version(&target, &round, target.version);
}

ParameterizedTestParameters(refuse, new_code_that_never_ends)
{
	return interpreters_params(sleep_mode);
}

ParameterizedTest(struct case_param *param, refuse, new_code_that_never_ends, .fini = stop,
		  .timeout = 60)
{
	expect_ended(param, endless_body, "");
}

/* An exception reaches only Python: the thread leaves when the call returns. */
Test(refuse, new_code_that_sleeps, .fini = stop, .timeout = 60)
{
	struct case_param param = {.mode = "sleep"};

	if (!interpreters_newest())
		cr_skip_test("no CPython 3.7 to 3.13 on this machine");
	param.interpreter = *interpreters_newest();
	expect_ended(&param, asleep_body, "its thread stays until it does");
}

static const char *const hold_mode[] = {"hold", NULL};

ParameterizedTestParameters(refuse, gil_held_past_the_timeout)
{
	return interpreters_params(hold_mode);
}

/* A target that holds the GIL for about three seconds, and an attach that gives up after half a
 * second: nothing may change later. */
ParameterizedTest(struct case_param *param, refuse, gil_held_past_the_timeout, .fini = stop,
		  .timeout = 60)
{
	struct round round;
	char number[16];

	pytarget_start(&target, &param->interpreter, "busy.py", param->mode, "3");
	pytarget_await(&target, "holding");
	pytarget_edit(&target);
	snprintf(number, sizeof(number), "%d", target.pid);
	run_pyhotpatch(&run, (const char *const[]){"attach", "--timeout", "0.5", number, NULL});
	expect_status(&target, &run, hp_err_exit_status(HP_TIMEOUT));
	cr_assert(run.elapsed_ns < INT64_C(2500000000), "it took %lld ms",
		  (long long)run.elapsed_ns / 1000000);
	pytarget_next(&target, &round);
	expect_version(&target, &round, 0);
	sleep_ms(300);
	pytarget_fresh(&target, &round);
	expect_version(&target, &round, 0);
	cr_assert(eq(sz, pytarget_threads(&target), 1), "the worker is still there");
	run_attach(&run, target.pid);
	expect_status(&target, &run, 0);
	pytarget_fresh(&target, &round);
	expect_version(&target, &round, 1);
}

/* Starts an attach to a target that keeps it waiting for the GIL. */
static void start_waiting_attach(struct running *attach)
{
	char number[16];
	const char *argv[] = {pyhotpatch_path(), "attach", number, NULL};

	if (!interpreters_newest())
		cr_skip_test("no CPython 3.7 to 3.15 on this machine");
	pytarget_start(&target, interpreters_newest(), "busy.py", "hold", "4");
	pytarget_await(&target, "holding");
	pytarget_edit(&target);
	snprintf(number, sizeof(number), "%d", target.pid);
	run_start(attach, argv);
	sleep_ms(500);
}

Test(refuse, gone_in_the_middle, .fini = stop, .timeout = 60)
{
	struct running attach;

	start_waiting_attach(&attach);
	kill(target.pid, SIGKILL);
	run_finish(&run, &attach, 20000);
	expect_status(&target, &run, hp_err_exit_status(HP_TARGET_DIED));
}

Test(refuse, interrupted, .fini = stop, .timeout = 60)
{
	struct running attach;
	struct round round;

	start_waiting_attach(&attach);
	kill(attach.pid, SIGINT);
	run_finish(&run, &attach, 20000);
	expect_status(&target, &run, hp_err_exit_status(HP_INTERRUPTED));
	pytarget_fresh(&target, &round);
	expect_version(&target, &round, 0);
	cr_assert(eq(sz, pytarget_threads(&target), 1), "the worker is still there");
}

static const char finalizing_script[] = "import os, time\n"
					"class Last:\n"
					"    def __init__(self):\n"
					"        self.sleep = time.sleep\n"
					"    def __del__(self):\n"
					"        self.sleep(3)\n"
					"last = Last()\n";

Test(refuse, finalizing, .fini = stop, .timeout = 60)
{
	if (!interpreters_newest())
		cr_skip_test("no CPython 3.7 to 3.15 on this machine");
	start_script(interpreters_newest(), finalizing_script);
	expect_refusal(other.pid, HP_FINALIZING, "shutting down");
	run_finish(&run, &other, 10000);
	other.pid = 0;
	cr_assert(eq(int, run.status, 0), "the target ended with %d: %s", run.status, run.err);
}

/* As a daemon does: it closes every descriptor that it does not know, and ours is among them;
 * the number then belongs to a file of its own. PyDLL and the switch interval keep the GIL
 * meanwhile. */
static const char closing_script[] =
	"import ctypes, os, sys, time\n"
	"sys.setswitchinterval(100)\n"
	"libc = ctypes.PyDLL(None)\n"
	"libc.usleep(2000000)\n"
	"for fd in range(3, 64): libc.close(fd)\n"
	"for i in range(40): libc.open(b'/etc/passwd', 0)\n"
	"libc.usleep(200000)\n"
	"time.sleep(2)\n"
	"missing = [fd for fd in range(3, 43) if not os.path.exists('/proc/self/fd/%d' % fd)]\n"
	"sys.exit('missing: %r' % missing if missing else 0)\n";

Test(refuse, a_target_that_closes_our_descriptor_keeps_its_own, .fini = stop, .timeout = 60)
{
	char number[16];

	if (!interpreters_newest())
		cr_skip_test("no CPython 3.7 to 3.15 on this machine");
	if (!interpreters_newest()->ctypes)
		cr_skip_test("the script needs ctypes, which this CPython has not");
	start_script(interpreters_newest(), closing_script);
	sleep_ms(700);
	snprintf(number, sizeof(number), "%d", other.pid);
	run_pyhotpatch(&run, (const char *const[]){"attach", number, NULL});
	cr_assert(eq(int, run.status, hp_err_exit_status(HP_TIMEOUT)), "%s", run.err);
	run_finish(&run, &other, 15000);
	other.pid = 0;
	cr_assert(eq(int, run.status, 0), "the target ended with %d: %s", run.status, run.err);
}
