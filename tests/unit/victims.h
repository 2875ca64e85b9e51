/* SPDX-License-Identifier: MIT
 *
 * Processes for tests to look at. Each dies with the test that made it.
 */
#ifndef TESTS_UNIT_VICTIMS_H
#define TESTS_UNIT_VICTIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct victim {
	pid_t pid;
	int input, output; /* its standard input and output, from our side; -1 when not ours */
};

/* Run argv[0] (a path) with pipes. environment may be NULL: as ours. */
struct victim victim_spawn(const char *const *argv, const char *const *environment);
/* Run an interpreter with -c. */
struct victim victim_python(const char *path, const char *code);
/* Fork; the child runs body(argument) and then waits for ever. */
struct victim victim_fork(void (*body)(void *), void *argument);
/* One line of its output, without the newline; fails the test when none comes. */
void victim_read_line(const struct victim *victim, char *out, size_t len);
void victim_end(struct victim *victim);

/* Wait until /proc says that its state is one of `states`; fails the test after some seconds.
 */
void victim_await_state(const struct victim *victim, const char *states);

/* An executable copy of a file; fails the test when it cannot be made. */
void copy_file(const char *from, const char *to);

/* Real paths of the CPythons on this machine: those in PATH, and in pyenv's folder. */
struct interpreter {
	char path[512];
	int major, minor;
};
size_t interpreters_find(struct interpreter *out, size_t capacity);
/* The shared library of an interpreter; false when it is linked statically. */
bool interpreter_library(char *out, size_t len, const struct interpreter *interpreter);
/* The first whose version is at least 3.7; fails the test when there is none. */
struct interpreter interpreter_any(void);

#endif
