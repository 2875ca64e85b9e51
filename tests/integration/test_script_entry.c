/* SPDX-License-Identifier: MIT
 *
 * The second way in, by the interpreter's own remote execution: for processes that are traced
 * by somebody else, or never come to a safe point. CPython 3.14 and later.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/err.h"
#include "tests/integration/campaign.h"
#include "tests/integration/pytarget.h"
#include "tests/integration/snapshot.h"

#define FIRST_MINOR 14

static struct pytarget target;
static struct interpreter python;
static struct snapshot before;
static struct run run;
static pid_t tracer;

/* ---- the scene ---- */

static void end_tracer(void)
{
	kill(tracer, SIGKILL);
	waitpid(tracer, NULL, 0);
	tracer = 0;
}

static void stop(void)
{
	if (tracer > 0)
		end_tracer();
	pytarget_stop(&target);
}

/* A debugger that lets everything pass, on all threads that there are. */
static void trace_for_ever(pid_t pid)
{
	int status;

	if (ptrace(PTRACE_SEIZE, pid, 0, 0) != 0)
		_exit(1);
	for (;;) {
		pid_t tid = waitpid(-1, &status, __WALL);

		if (tid < 0)
			_exit(0);
		if (WIFSTOPPED(status))
			ptrace(PTRACE_CONT, tid, 0, status >> 16 ? 0 : WSTOPSIG(status));
	}
}

static void start_tracer(void (*body)(pid_t pid))
{
	tracer = fork();
	if (!tracer)
		body(target.pid);
	sleep_ms(100);
	cr_assert(eq(int, waitpid(tracer, NULL, WNOHANG), 0), "the tracer could not seize");
}

static const struct interpreter *newest(void)
{
	const struct interpreter *found = interpreters_newest();

	if (!found || found->minor < FIRST_MINOR)
		cr_skip_test("no CPython 3.14 or later on this machine (scripts/matrix has)");
	return found;
}

static void start(const struct interpreter *interpreter, const char *mode, const char *seconds)
{
	python = *interpreter;
	pytarget_start(&target, interpreter, "script_entry.py", mode, seconds);
}

static void attach(int status, const char *timeout)
{
	run_pyhotpatch(&run, (const char *const[]){"attach", "--timeout", timeout,
						   target.number, NULL});
	expect_status(&target, &run, status);
}

/* Scripts of ours that lie in the target's /tmp. */
static int count_scripts(bool remove)
{
	char folder[300], path[600], name[32];
	int count = 0;

	snprintf(name, sizeof(name), "pyhotpatch-%d-", target.pid);
	snprintf(folder, sizeof(folder), "%s/tmp", python.root);
	DIR *dir = opendir(folder);
	cr_assert(ne(ptr, dir, NULL));
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (strncmp(entry->d_name, name, strlen(name)) != 0)
			continue;
		count++;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (remove)
			unlink(path);
	}
	closedir(dir);
	return count;
}

static void expect_nothing_left(void)
{
	expect_left_as_found(&target, &before);
	cr_assert(eq(int, count_scripts(false), 0));
}

static void expect_next(int version)
{
	struct round round;

	pytarget_fresh(&target, &round);
	expect_version(&target, &round, version);
}

/* The interpreter complains there of a script that it cannot read. */
static void expect_silence(void)
{
	char path[512], text[2048] = "";

	snprintf(path, sizeof(path), "%s/stderr", target.dir);
	FILE *file = fopen(path, "re");
	cr_assert(ne(ptr, file, NULL));
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	cr_assert(eq(str, text, ""));
}

/* ---- served ---- */

static const char *const traced_modes[] = {"rounds", NULL};

ParameterizedTestParameters(script_entry, a_traced_process)
{
	return interpreters_params_since(FIRST_MINOR, traced_modes);
}

/* The first time leaves _ctypes, as any import of it does; the second leaves nothing. */
ParameterizedTest(struct case_param *param, script_entry, a_traced_process, .fini = stop,
		  .timeout = 60)
{
	start(&param->interpreter, param->mode, "0.1");
	start_tracer(trace_for_ever);
	run_pyhotpatch(&run, (const char *const[]){"doctor", target.number, NULL});
	expect_status(&target, &run, 0);
	pytarget_edit(&target);
	attach(0, "20");
	expect_text(&run, run.out, "let in by the interpreter itself");
	expect_text(&run, run.out, "is already traced by");
	expect_next(1);
	sleep_ms(300);
	snapshot_take(&before, target.pid);
	pytarget_edit(&target);
	attach(0, "20");
	expect_next(2);
	run_pyhotpatch(&run, (const char *const[]){"rollback", target.number, NULL});
	expect_status(&target, &run, 0);
	expect_next(1);
	cr_assert(eq(int, waitpid(tracer, NULL, WNOHANG), 0), "the tracer is gone");
	end_tracer();
	expect_nothing_left();
	expect_silence();
}

Test(script_entry, there_is_an_interpreter_for_it)
{
	cr_assert(le(int, FIRST_MINOR, newest()->minor));
}

Test(script_entry, no_safe_point, .fini = stop, .timeout = 60)
{
	const struct interpreter *interpreter = newest();

	pytarget_preload = getenv("PYHOTPATCH_ALLOCATOR");
	start(interpreter, "inside", "0.1");
	pytarget_edit(&target);
	attach(0, "4");
	expect_text(&run, run.out,
		    "let in by the interpreter itself: no thread came to a safe");
	expect_next(1);
	expect_silence();
}

/* Each exception that a signal's handler raises while a script of ours runs is the program's.
 */
Test(script_entry, exceptions_of_signal_handlers_are_not_lost, .fini = stop, .timeout = 120)
{
	long raised = 0, inside = 0;
	struct round round;

	start(newest(), "ticks", "0.3");
	start_tracer(trace_for_ever);
	for (int i = 1; i <= 5 || (!inside && i <= 100); i++) {
		pytarget_edit(&target);
		attach(0, "20");
		do { /* ticks R inside I */
			pytarget_await(&target, "ticks ");
			sscanf(target.buffer, "ticks %ld inside %ld", &raised, &inside);
			pytarget_next(&target, &round);
		} while (round.version != i);
	}
	cr_assert(lt(long, 0, inside), "of %ld none was raised in a script", raised);
	expect_silence();
}

/* ---- not served, and then nothing is changed later either ---- */

Test(script_entry, too_late, .fini = stop, .timeout = 60)
{
	start(newest(), "late", "4");
	sleep_ms(100);
	snapshot_take(&before, target.pid);
	start_tracer(trace_for_ever);
	pytarget_edit(&target);
	attach(hp_err_exit_status(HP_TRACED), "1");
	expect_text(&run, run.err, "executed no Python in time");
	expect_text(&run, run.err, "is already traced by");
	cr_assert(eq(int, count_scripts(false), 0));
	end_tracer();
	expect_next(0);
	expect_nothing_left();
	expect_silence();
}

/* Killed when its script is asked for and not yet taken: the script finds nobody. */
Test(script_entry, killed, .fini = stop, .timeout = 60)
{
	struct running attaching;

	start(newest(), "late", "3");
	start_tracer(trace_for_ever);
	pytarget_edit(&target);
	run_start(&attaching,
		  (const char *const[]){pyhotpatch_path(), "attach", target.number, NULL});
	for (int i = 0; i < 200 && !count_scripts(false); i++)
		sleep_ms(5);
	sleep_ms(100);
	kill(attaching.pid, SIGKILL);
	run_finish(&run, &attaching, 5000);
	cr_assert(eq(int, run.status, -SIGKILL));
	expect_next(0);
	sleep_ms(500);
	expect_next(0);
	expect_silence();
	cr_assert(eq(int, count_scripts(true), 0), "the script did not remove itself");
	snapshot_take(&before, target.pid);
	for (size_t i = 0; i < before.fd_count; i++)
		cr_assert(eq(ptr, strstr(before.fds[i], "memfd:pyhotpatch"), NULL));
	for (size_t i = 0; i < before.map_count; i++)
		cr_assert(eq(ptr, strstr(before.maps[i].path, "memfd:pyhotpatch"), NULL));
	attach(0, "20");
	expect_next(1);
}

static int64_t usual_ns(void)
{
	int64_t shortest = INT64_MAX;

	for (int i = 0; i < 3; i++) {
		pytarget_edit(&target);
		attach(0, "20");
		if (run.elapsed_ns < shortest)
			shortest = run.elapsed_ns;
	}
	return shortest;
}

/* Old or new it is, and the next attach works. It waits for a worker that the killed one has
 * started: two at once leave two stacks and arenas. */
static void expect_survival(int64_t after_ns)
{
	struct round round;

	for (int i = 0; pytarget_threads(&target) != before.thread_count; i++) {
		if (i == 10000)
			pytarget_fail(&target, "killed after %lld us: a thread stays",
				      (long long)after_ns / 1000);
		sleep_ms(1);
	}
	pytarget_fresh(&target, &round);
	if (round.version != target.version && round.version != target.version - 1)
		pytarget_fail(&target, "killed after %lld us: answers %s",
			      (long long)after_ns / 1000, round.text);
	attach(0, "20");
	pytarget_fresh(&target, &round);
	expect_version(&target, &round, target.version);
}

Test(script_entry, killed_at_random, .fini = stop, .timeout = 3000)
{
	const int kills = campaign_size(400, 25);
	int killed = 0;

	start(newest(), "rounds", "0.02");
	start_tracer(trace_for_ever);
	srandom((unsigned)getpid());
	const int64_t usual = usual_ns();
	sleep_ms(300);
	snapshot_take(&before, target.pid);
	for (int i = 0; i < kills; i++) {
		const int64_t after_ns = random() % (usual * 5 / 4);
		struct running attaching;

		pytarget_edit(&target);
		run_start(&attaching, (const char *const[]){pyhotpatch_path(), "attach",
							    target.number, NULL});
		usleep((useconds_t)(after_ns / 1000));
		kill(attaching.pid, SIGKILL);
		run_finish(&run, &attaching, 10000);
		killed += run.status == -SIGKILL;
		expect_survival(after_ns);
	}
	cr_assert(lt(int, kills / 3, killed), "only %d of %d kills came in time", killed,
		  kills);
	sleep_ms(400);
	end_tracer();
	count_scripts(true); /* of those killed before they were asked for */
	expect_nothing_left();
	expect_silence();
	printf("%s: %d attaches, %d killed, within %.1f ms\n", target.label, kills, killed,
	       (double)usual * 1.25 / 1e6);
}

static void stop_and_keep(pid_t pid)
{
	if (ptrace(PTRACE_SEIZE, pid, 0, 0) != 0 || ptrace(PTRACE_INTERRUPT, pid, 0, 0) != 0)
		_exit(1);
	for (;;)
		pause();
}

/* By a debugger at its prompt: there is no use in waiting until the time is up. */
Test(script_entry, a_stopped_process, .fini = stop, .timeout = 60)
{
	start(newest(), "rounds", "0.1");
	start_tracer(stop_and_keep);
	pytarget_edit(&target);
	attach(hp_err_exit_status(HP_TRACED), "30");
	expect_text(&run, run.err, "its main thread is stopped");
	cr_assert(lt(i64, run.elapsed_ns, INT64_C(15000000000)));
	end_tracer();
	expect_next(0);
	expect_next(0);
	expect_silence();
}

Test(script_entry, forbidden_by_an_audit_hook, .fini = stop, .timeout = 60)
{
	start(newest(), "audit", "0.1");
	start_tracer(trace_for_ever);
	pytarget_edit(&target);
	attach(hp_err_exit_status(HP_TRACED), "20");
	expect_text(&run, run.err, "did not run it");
	expect_next(0);
	cr_assert(eq(int, count_scripts(false), 0));
}

Test(script_entry, no_ctypes, .fini = stop, .timeout = 60)
{
	start(newest(), "bare", "0.1");
	sleep_ms(200);
	snapshot_take(&before, target.pid);
	start_tracer(trace_for_ever);
	pytarget_edit(&target);
	attach(hp_err_exit_status(hp_obstacle_kind(OBSTACLE_NO_CTYPES)), "20");
	expect_text(&run, run.err, "has no _ctypes");
	expect_text(&run, run.err, "is already traced by");
	end_tracer();
	expect_next(0);
	expect_nothing_left();
	expect_silence();
}

/* Its interpreter would not run a script: --force opens the other way alone. */
Test(script_entry, turned_off, .fini = stop, .timeout = 60)
{
	setenv("PYTHON_DISABLE_REMOTE_DEBUG", "1", 1);
	start(newest(), "rounds", "0.1");
	start_tracer(trace_for_ever);
	pytarget_edit(&target);
	run_pyhotpatch(&run, (const char *const[]){"attach", "--force", target.number, NULL});
	expect_status(&target, &run, hp_err_exit_status(HP_TRACED));
	end_tracer();
	expect_next(0);
	run_pyhotpatch(&run, (const char *const[]){"attach", "--force", target.number, NULL});
	expect_status(&target, &run, 0);
	expect_next(1);
}

/* ---- other places ---- */

/* Root's script is read by the target's user. */
Test(script_entry, another_user, .fini = stop, .timeout = 60)
{
	static const char *const as_nobody[] = {"setpriv", "--reuid=65534", "--regid=65534",
						"--clear-groups", NULL};

	if (geteuid() != 0)
		cr_skip_test("only root can become somebody else");
	pytarget_wrapper = as_nobody;
	pytarget_writes_bytecode = false;
	pytarget_public = true;
	start(newest(), "rounds", "0.1");
	start_tracer(trace_for_ever);
	pytarget_edit(&target);
	attach(0, "20");
	expect_next(1);
	cr_assert(eq(int, count_scripts(false), 0));
	expect_silence();
}
