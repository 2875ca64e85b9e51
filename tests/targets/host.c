/* SPDX-License-Identifier: MIT
 *
 * A C program that embeds a Python: host LIBRARY MODE. A thread of it waits in C for a byte of
 * its input and runs a round of state.py for each.
 *
 *   main     the main thread does, and keeps the GIL while it waits
 *   thread   another thread does; the main thread waits for ever and knows no Python
 *   vectors  another thread does, and gives the GIL up while it waits; the main thread computes
 *            in its registers, with an alternate stack for its signals, and checks all of it
 *
 *   blocked  the same with every signal blocked
 *
 * All check that errno is theirs alone.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tests/trace/churn.h"

#define ERRNO_KEPT 4711 /* nobody sets it */

static void (*initialize)(int);
static int (*run_string)(const char *);
static void *(*save_thread)(void);
static void (*restore_thread)(void *);

static int load(const char *path)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);

	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		return -1;
	}
	*(void **)&initialize = dlsym(library, "Py_InitializeEx");
	*(void **)&run_string = dlsym(library, "PyRun_SimpleString");
	*(void **)&save_thread = dlsym(library, "PyEval_SaveThread");
	*(void **)&restore_thread = dlsym(library, "PyEval_RestoreThread");
	return initialize && run_string && save_thread && restore_thread ? 0 : -1;
}

static int begin(void)
{
	initialize(0);
	return run_string("import os, sys\n"
			  "sys.path.insert(0, os.getcwd())\n"
			  "import state\n"
			  "state.report(0.0)\n");
}

static int corrupt(const char *what)
{
	char text[80];
	int len = snprintf(text, sizeof(text), "CORRUPT %s\n", what);

	(void)!write(1, text, (size_t)len);
	return 70;
}

/* A call that succeeds leaves errno alone. */
static bool next_byte(void)
{
	char byte;
	bool has_come;

	errno = ERRNO_KEPT;
	has_come = read(0, &byte, 1) == 1;
	if (has_come && errno != ERRNO_KEPT)
		corrupt("errno");
	return has_come;
}

/* Without a frame of Python below: what waits is C alone. */
static void *serve(void *unused)
{
	(void)unused;
	for (int r = begin(); r == 0 && next_byte();)
		run_string("state.report(0.0)\n");
	return NULL;
}

/* epoll_wait is among the last that pyhotpatch would choose: a stop interrupts it. */
static void *serve_without_gil(void *unused)
{
	struct epoll_event event = {.events = EPOLLIN};
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	(void)unused;
	epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &event);
	for (int r = begin(); r == 0;) {
		void *state = save_thread();

		while (epoll_wait(epoll, &event, 1, 100000) != 1)
			;
		restore_thread(state);
		if (!next_byte())
			break;
		run_string("state.report(0.0)\n");
	}
	return NULL;
}

static char alternate[65536];

static int compute_for_ever(sigset_t blocked)
{
	const stack_t stack = {.ss_sp = alternate, .ss_size = sizeof(alternate)};
	const uint64_t expected = churn(42);
	sigset_t now;

	sigaltstack(&stack, NULL);
	pthread_sigmask(SIG_SETMASK, &blocked, NULL);
	pthread_sigmask(SIG_SETMASK, NULL, &blocked); /* SIGKILL is not in it */
	errno = ERRNO_KEPT;
	for (;;) {
		stack_t found;

		if (churn(42) != expected)
			return corrupt("registers");
		if (errno != ERRNO_KEPT)
			return corrupt("errno");
		pthread_sigmask(SIG_SETMASK, NULL, &now);
		if (memcmp(&now, &blocked, sizeof(uint64_t)) != 0)
			return corrupt("signal mask");
		if (sigaltstack(NULL, &found) != 0 || found.ss_sp != alternate ||
		    found.ss_size != sizeof(alternate) || found.ss_flags != 0)
			return corrupt("alternate stack");
	}
}

int main(int argc, char **argv)
{
	const char *mode = argc > 2 ? argv[2] : "";
	const bool blocked = strcmp(mode, "blocked") == 0;
	const bool vectors = blocked || strcmp(mode, "vectors") == 0;
	sigset_t signals;
	pthread_t thread;

	if (argc < 3 || load(argv[1]) < 0)
		return 2;
	if (strcmp(mode, "main") == 0) {
		serve(NULL);
		return 0;
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR2);
	if (blocked)
		sigfillset(&signals);
	if (vectors)
		pthread_sigmask(SIG_SETMASK, &signals, NULL);
	if (pthread_create(&thread, NULL, vectors ? serve_without_gil : serve, NULL) != 0)
		return 2;
	if (vectors)
		return compute_for_ever(signals);
	for (;;)
		pause();
}
