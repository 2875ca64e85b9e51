/* SPDX-License-Identifier: MIT
 *
 * Servers that give each application an interpreter of its own: Apache with mod_wsgi, uwsgi.
 * All of them are served in one attach, and keep their state.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/cleanup.h"
#include "tests/integration/http.h"
#include "tests/integration/pytarget.h"
#include "tests/integration/snapshot.h"

#define SETTLE_MS 700 /* the server closes its side of a connection a little later */
#define MODULES   "/usr/lib/apache2/modules"

static struct pytarget target;
static struct running server;
static struct snapshot before, after;

static void stop(void)
{
	static struct run run;

	if (server.pid > 0) {
		kill(server.pid, SIGTERM); /* its child ends, too */
		run_finish(&run, &server, 10000);
	}
	pytarget_stop(&target);
}

/* One child with four threads, and nothing of the system's configuration. */
static void write_configuration(const char *path, int port)
{
	_cleanup_file_ FILE *to = fopen(path, "we");

	cr_assert(ne(ptr, to, NULL));
	fprintf(to,
		"ServerRoot %s\nPidFile %s/pid\nErrorLog %s/log\nMutex pthread\n"
		"LoadModule mpm_event_module " MODULES "/mod_mpm_event.so\n"
		"LoadModule authz_core_module " MODULES "/mod_authz_core.so\n"
		"LoadModule wsgi_module " MODULES "/mod_wsgi.so\n"
		"ServerName localhost\nListen 127.0.0.1:%d\n"
		"StartServers 1\nServerLimit 1\nThreadsPerChild 4\n"
		"MinSpareThreads 1\nMaxSpareThreads 4\nMaxRequestWorkers 4\n",
		target.dir, target.dir, target.dir, port);
	if (geteuid() == 0)
		fprintf(to, "User nobody\nGroup nogroup\n");
	for (const char *name = "ab"; *name; name++)
		fprintf(to, "WSGIScriptAlias /%c %s/wsgi_app.py\n", *name, target.dir);
	fprintf(to, "WSGIPythonPath %s\n<Directory %s>\nRequire all granted\n</Directory>\n",
		target.dir, target.dir);
}

static int start(void)
{
	int port = http_free_port(), listens = -1;
	char path[320], text[256];

	pytarget_public = true;
	pytarget_make(&target, "mod_wsgi");
	pytarget_install(&target, "wsgi_app.py");
	snprintf(path, sizeof(path), "%s/httpd.conf", target.dir);
	write_configuration(path, port);
	run_start(&server, (const char *const[]){"/usr/sbin/apache2", "-f", path, "-D",
						 "FOREGROUND", NULL});
	for (int i = 0; i < 200 && listens < 0; i++) {
		sleep_ms(50);
		listens = http_get(text, sizeof(text), port, "/a");
	}
	cr_assert(eq(int, listens, 0), "apache2 did not start");
	return port;
}

/* What the application at `path` says: which version, in which process, asked how often. */
static pid_t expect_answer(int port, const char *path, int version, int count)
{
	int a, b, pid, asked;
	char text[256];

	cr_assert(eq(int, http_get(text, sizeof(text), port, path), 0));
	cr_assert(eq(int, sscanf(text, "v%d v%d %d %d", &a, &b, &pid, &asked), 4), "%s", text);
	cr_assert(a == version && b == version && asked == count,
		  "v%d, asked %d times, expected of %s: %s", version, count, path, text);
	return pid;
}

Test(interpreters, mod_wsgi, .fini = stop, .timeout = 120)
{
	char text[8192];
	struct run run;
	pid_t pid;
	int port;

	if (access(MODULES "/mod_wsgi.so", R_OK) < 0)
		cr_skip_test("no Apache with mod_wsgi on this machine");
	port = start();
	pid = expect_answer(port, "/a", 0, 2);
	cr_assert(eq(int, expect_answer(port, "/b", 0, 1), pid), "one process serves both");
	sleep_ms(SETTLE_MS);
	snapshot_take(&before, pid);
	for (int version = 1; version <= 3; version++) {
		pytarget_edit(&target);
		run_attach(&run, pid);
		cr_assert(eq(int, run.status, 0), "%s", run.err);
		cr_assert(ne(ptr, strstr(run.out, "edited (interpreter 1)"), NULL), "%s",
			  run.out);
		cr_assert(ne(ptr, strstr(run.out, "edited (interpreter 2)"), NULL), "%s",
			  run.out);
		expect_answer(port, "/a", version, version + 2);
		expect_answer(port, "/b", version, version + 1);
	}
	sleep_ms(SETTLE_MS);
	snapshot_take(&after, pid);
	snapshot_compare(text, sizeof(text), &before, &after);
	cr_assert(eq(str, text, ""), "not left as found:\n%s", text);
}

/* ---- uwsgi with two applications: each has an interpreter, and nobody gives up the GIL ----
 */

static pid_t uwsgi_worker(int port)
{
	char text[256];
	int pid = 0;

	for (int i = 0; i < 200 && !pid; i++) {
		sleep_ms(50);
		if (http_get(text, sizeof(text), port, "/a") == 0)
			sscanf(text, "%*s %*s %d", &pid);
	}
	cr_assert(ne(int, pid, 0), "uwsgi did not start");
	return pid;
}

Test(interpreters, uwsgi, .fini = stop, .timeout = 120)
{
	char command[512];
	struct run run;
	pid_t pid;
	int port = http_free_port();

	if (access("/usr/lib/uwsgi/plugins/python3_plugin.so", R_OK) < 0)
		cr_skip_test("no uwsgi with its plug-in for Python 3 on this machine");
	pytarget_make(&target, "uwsgi");
	pytarget_install(&target, "wsgi_app.py");
	snprintf(command, sizeof(command),
		 "cd '%s' && cp wsgi_app.py other_app.py && exec uwsgi --plugin python3 "
		 "--http-socket 127.0.0.1:%d --mount /a=wsgi_app.py --mount /b=other_app.py "
		 "--manage-script-name --processes 1 --master --no-orphans --die-on-term "
		 "--logto uwsgi.log",
		 target.dir, port);
	run_start(&server, (const char *const[]){"sh", "-c", command, NULL});
	pid = uwsgi_worker(port);
	cr_assert(eq(int, expect_answer(port, "/b", 0, 1), pid));
	for (int version = 1; version <= 2; version++) {
		pytarget_edit(&target);
		run_attach(&run, pid);
		cr_assert(eq(int, run.status, 0), "%s", run.err);
		cr_assert(ne(ptr, strstr(run.out, "edited (interpreter 1)"), NULL), "%s",
			  run.out);
		expect_answer(port, "/a", version, version + 1);
		expect_answer(port, "/b", version, version + 1);
	}
}
