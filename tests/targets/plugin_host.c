/* SPDX-License-Identifier: MIT
 *
 * A C program that loads a Python as a plug-in: plugin_host LIBRARY MODE [OTHER]. Its main
 * thread knows no Python (but in dlmopen mode); another one waits in C, without the GIL, for a
 * byte of the program's input and runs a round of plugged.py for each.
 *
 *   local     dlopen with RTLD_LOCAL: nobody else finds its symbols
 *   dlmopen   in a namespace of its own, with a libc of its own
 *   before    after OTHER, another Python that is loaded and never started
 *   behind    before OTHER
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct {
	void (*initialize)(int);
	int (*run_string)(const char *);
	void *(*save_thread)(void);
	void (*restore_thread)(void *);
} python;

static void *load(const char *path, const char *mode)
{
	void *library = strcmp(mode, "dlmopen") == 0 ? dlmopen(LM_ID_NEWLM, path, RTLD_NOW)
						     : dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (!library)
		fprintf(stderr, "%s\n", dlerror());
	return library;
}

static int find(void *library)
{
	*(void **)&python.initialize = dlsym(library, "Py_InitializeEx");
	*(void **)&python.run_string = dlsym(library, "PyRun_SimpleString");
	*(void **)&python.save_thread = dlsym(library, "PyEval_SaveThread");
	*(void **)&python.restore_thread = dlsym(library, "PyEval_RestoreThread");
	return python.initialize && python.run_string && python.save_thread &&
			       python.restore_thread
		       ? 0
		       : -1;
}

static void *serve(void *unused)
{
	void *state;
	char byte;

	(void)unused;
	python.initialize(0);
	if (python.run_string("import sys\n"
			      "sys.path.insert(0, '')\n"
			      "import plugged\n"
			      "plugged.report()\n") != 0)
		return NULL;
	state = python.save_thread();
	while (read(0, &byte, 1) == 1) {
		python.restore_thread(state);
		python.run_string("plugged.report()\n");
		state = python.save_thread();
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	void *library;

	if (argc < 3 ||
	    (strcmp(argv[2], "before") == 0 && (argc < 4 || !load(argv[3], "local"))))
		return 2;
	library = load(argv[1], argv[2]);
	if (!library || find(library) < 0 ||
	    (strcmp(argv[2], "behind") == 0 && (argc < 4 || !load(argv[3], "local"))))
		return 2;
	/* The other libc has prepared the main thread alone for itself (__ctype_init). */
	if (strcmp(argv[2], "dlmopen") == 0)
		return serve(NULL) != NULL;
	if (pthread_create(&thread, NULL, serve, NULL) != 0)
		return 2;
	for (;;)
		pause();
}
