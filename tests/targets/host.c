/* SPDX-License-Identifier: MIT
 *
 * A C program that embeds a Python and never gives up its GIL: host LIBRARY MODE. It waits in C
 * for a byte of its input and runs a round of state.py for each.
 *
 *   main    the main thread has initialised Python and waits
 *   thread  another thread has; the main thread waits for ever and knows no Python
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void (*initialize)(int);
static int (*run_string)(const char *);

static int load(const char *path)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);

	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		return -1;
	}
	*(void **)&initialize = dlsym(library, "Py_InitializeEx");
	*(void **)&run_string = dlsym(library, "PyRun_SimpleString");
	return initialize && run_string ? 0 : -1;
}

/* Without a frame of Python below: what waits is C alone. */
static void *serve(void *unused)
{
	char byte;

	(void)unused;
	initialize(0);
	if (run_string("import os, sys\n"
		       "sys.path.insert(0, os.getcwd())\n"
		       "import state\n"
		       "state.report(0.0)\n") != 0)
		return NULL;
	while (read(0, &byte, 1) == 1)
		run_string("state.report(0.0)\n");
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc < 3 || load(argv[1]) < 0)
		return 2;
	if (strcmp(argv[2], "thread") == 0 && pthread_create(&thread, NULL, serve, NULL) == 0)
		for (;;)
			pause();
	serve(NULL);
	return 0;
}
