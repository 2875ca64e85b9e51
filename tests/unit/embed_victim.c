/* SPDX-License-Identifier: MIT
 *
 * A program that is no Python but loads some: `embed_victim [+]LIBRARY...`, privately as
 * plug-ins do, and starts those with a plus. Says "up" and waits for the end of its input.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int load(const char *path, int start)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	void (*initialize)(int) = NULL;

	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	*(void **)&initialize = dlsym(library, "Py_InitializeEx");
	if (!initialize)
		return 1;
	if (start)
		initialize(0);
	return 0;
}

int main(int argc, char **argv)
{
	char byte;

	for (int i = 1; i < argc; i++) {
		int start = argv[i][0] == '+';

		if (load(argv[i] + start, start))
			return 1;
	}
	puts("up");
	fflush(stdout);
	return (int)read(0, &byte, 1);
}
