/* SPDX-License-Identifier: MIT
 *
 * Programs around Python that keep the GIL while they wait in C: they are served on the thread
 * that holds it, are left as found, and survive the death of pyhotpatch.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/cleanup.h"
#include "tests/integration/http.h"
#include "tests/integration/pytarget.h"
#include "tests/integration/snapshot.h"

static struct pytarget target;
static struct snapshot before, after;

static void stop(void)
{
	pytarget_stop(&target);
}

static const char *const modes[] = {"main", "thread", NULL};

ParameterizedTestParameters(holder, is_served)
{
	return interpreters_library_params(modes);
}

ParameterizedTest(struct case_param *param, holder, is_served, .fini = stop, .timeout = 60)
{
	struct round round;
	struct run run;
	char text[8192];

	pytarget_start_host(&target, &param->interpreter, param->mode);
	sleep_ms(100);
	snapshot_take(&before, target.pid);
	for (int i = 1; i <= 2; i++) {
		pytarget_edit(&target);
		run_attach(&run, target.pid);
		expect_status(&target, &run, 0);
		snapshot_take(&after, target.pid);
		snapshot_compare(text, sizeof(text), &before, &after);
		if (text[0] != '\0')
			pytarget_fail(&target, "not left as found:\n%s", text);
		pytarget_next(&target, &round);
		expect_version(&target, &round, i);
		cr_assert(eq(int, (int)round.number, i), "its wait ended early: %s",
			  round.text);
	}
}

/* ---- killed while the worker waits for the GIL ---- */

static void await_threads(size_t count)
{
	for (int i = 0; pytarget_threads(&target) != count; i++) {
		if (i == 10000)
			pytarget_fail(&target, "%zu threads instead of %zu",
				      pytarget_threads(&target), count);
		sleep_ms(1);
	}
}

/* The worker stays, for it cannot ask for the GIL and for us at once. */
static void kill_beside_a_waiting_worker(void)
{
	static struct run run;
	struct running attach;

	for (int i = 0; i < 100; i++) {
		pytarget_edit(&target);
		run_start(&attach, (const char *const[]){pyhotpatch_path(), "attach",
							 target.number, NULL});
		await_threads(2);
		sleep_ms(20); /* the holder is asked after 300 */
		kill(attach.pid, SIGKILL);
		run_finish(&run, &attach, 5000);
		sleep_ms(50);
		if (pytarget_threads(&target) == 2)
			return;
	}
	pytarget_fail(&target, "no worker was found waiting");
}

static void start_host(void)
{
	if (!interpreters_embeddable())
		cr_skip_test("no CPython 3.7 to 3.15 with a library on this machine");
	pytarget_start_host(&target, interpreters_embeddable(), "main");
	sleep_ms(100);
	snapshot_take(&before, target.pid);
	kill_beside_a_waiting_worker();
}

/* It ends, with nothing changed, when the program gives up the GIL once. */
Test(holder, killed_while_the_worker_waits, .fini = stop, .timeout = 60)
{
	struct round round;

	start_host();
	for (int i = 0; i < 200 && pytarget_threads(&target) > 1; i++) {
		pytarget_next(&target, &round);
		expect_version(&target, &round, 0);
		sleep_ms(20);
	}
	expect_version_as_found(&target, &before, 0);
}

/* Or when the holder of the GIL does so for the next attach. */
Test(holder, attach_beside_a_waiting_worker, .fini = stop, .timeout = 60)
{
	struct round round;
	struct run run;

	start_host();
	run_attach(&run, target.pid);
	expect_status(&target, &run, 0);
	await_threads(1); /* two at once leave two stacks and arenas, so no snapshot */
	pytarget_fresh(&target, &round);
	expect_version(&target, &round, target.version);
}

/* ---- uwsgi, as it comes: several workers, no threads ---- */

#define WORKERS 2

static struct running uwsgi;

static void stop_uwsgi(void)
{
	static struct run run;

	if (uwsgi.pid > 0) {
		kill(uwsgi.pid, SIGKILL); /* its workers see that and end */
		run_finish(&run, &uwsgi, 5000);
	}
	pytarget_stop(&target);
}

/* What it says when it is up: the port, and its workers. */
static int read_log(pid_t workers[WORKERS])
{
	char path[320], line[512];
	int port = 0, number, pid, seen = 0;

	snprintf(path, sizeof(path), "%s/uwsgi.log", target.dir);
	_cleanup_file_ FILE *log = fopen(path, "re");
	while (log && fgets(line, sizeof(line), log)) {
		sscanf(line, "uwsgi socket 0 bound to TCP address 127.0.0.1:%d", &port);
		if (sscanf(line, "spawned uWSGI worker %d (pid: %d", &number, &pid) == 2 &&
		    number <= WORKERS) {
			workers[number - 1] = pid;
			seen++;
		}
	}
	return seen == WORKERS ? port : 0;
}

static int start_uwsgi(pid_t workers[WORKERS])
{
	const char *argv[] = {"sh", "-c",
			      "cd \"$0\" && exec uwsgi --plugin python3 --http-socket "
			      "127.0.0.1:0 --wsgi-file wsgi_app.py --processes 2 --master "
			      "--no-orphans --logto uwsgi.log",
			      target.dir, NULL};
	int port = 0;

	run_start(&uwsgi, argv);
	for (int i = 0; i < 200 && port == 0; i++) {
		sleep_ms(50);
		port = read_log(workers);
	}
	cr_assert(ne(int, port, 0), "uwsgi did not start");
	sleep_ms(300); /* into their waits */
	return port;
}

/* Ask until each worker has answered; each must say v<version> and count on. */
static void expect_answers(int port, const pid_t workers[WORKERS], int version,
			   int counts[WORKERS])
{
	bool heard[WORKERS] = {false};
	char text[256];

	for (int i = 0; i < 500 && !(heard[0] && heard[1]); i++) {
		int a, b, pid, count;

		cr_assert(eq(int, http_get(text, sizeof(text), port, "/"), 0));
		cr_assert(eq(int, sscanf(text, "v%d v%d %d %d", &a, &b, &pid, &count), 4), "%s",
			  text);
		cr_assert(a == version && b == version, "v%d expected: %s", version, text);
		for (int w = 0; w < WORKERS; w++) {
			if (workers[w] != pid)
				continue;
			cr_assert(eq(int, count, counts[w] + 1), "state was lost: %s", text);
			counts[w] = count;
			heard[w] = true;
		}
	}
	cr_assert(heard[0] && heard[1], "a worker does not answer");
}

static int begin_uwsgi(pid_t workers[WORKERS])
{
	if (access("/usr/lib/uwsgi/plugins/python3_plugin.so", R_OK) < 0)
		cr_skip_test("no uwsgi with its plug-in for Python 3 on this machine");
	pytarget_make(&target, "uwsgi");
	pytarget_install(&target, "wsgi_app.py");
	return start_uwsgi(workers);
}

Test(holder, uwsgi_without_threads, .fini = stop_uwsgi, .timeout = 120)
{
	pid_t workers[WORKERS] = {0};
	int counts[WORKERS] = {0}, port;
	struct run run;

	port = begin_uwsgi(workers);
	for (int version = 1; version <= 3; version++) {
		pytarget_edit(&target);
		for (int w = 0; w < WORKERS; w++) {
			run_attach(&run, workers[w]);
			cr_assert(eq(int, run.status, 0), "%s", run.err);
		}
		expect_answers(port, workers, version, counts);
	}
}

static void run_tree(const char *command)
{
	static struct run run;
	char master[16];

	snprintf(master, sizeof(master), "%d", uwsgi.pid);
	run_pyhotpatch(&run, (const char *const[]){command, "--tree", master, NULL});
	cr_assert(eq(int, run.status, 0), "%s", run.err);
	expect_text(&run, run.out, "3 processes: ");
}

/* The master and its workers: three borrowed threads wait for each other. */
Test(holder, uwsgi_together, .fini = stop_uwsgi, .timeout = 120)
{
	pid_t workers[WORKERS] = {0};
	int counts[WORKERS] = {0}, port = begin_uwsgi(workers);

	pytarget_edit(&target);
	run_tree("attach");
	expect_answers(port, workers, 1, counts);
	pytarget_edit(&target);
	run_tree("attach");
	expect_answers(port, workers, 2, counts);
	run_tree("rollback");
	expect_answers(port, workers, 1, counts);
}

/* The threads that wait go back to their work. */
Test(holder, uwsgi_together_killed, .fini = stop_uwsgi, .timeout = 120)
{
	static struct run run;
	pid_t workers[WORKERS] = {0};
	int counts[WORKERS] = {0}, port = begin_uwsgi(workers);
	struct running attach;
	char master[16];

	snprintf(master, sizeof(master), "%d", uwsgi.pid);
	pytarget_edit(&target);
	pytarget_append(&target, "\nSLEPT = __import__('time').sleep(1.5)\n");
	run_start(&attach,
		  (const char *const[]){pyhotpatch_path(), "attach", "--tree", master, NULL});
	sleep_ms(2000);
	kill(attach.pid, SIGKILL);
	run_finish(&run, &attach, 5000);
	sleep_ms(2000);
	expect_answers(port, workers, 0, counts);
	pytarget_edit(&target);
	run_tree("attach");
	expect_answers(port, workers, 2, counts);
}
