/* SPDX-License-Identifier: MIT
 *
 * Running a program to its end with a time limit, keeping what it wrote.
 *
 * The invariant: the program has ended when run_command() returns.
 */
#ifndef TESTS_INTEGRATION_RUN_H
#define TESTS_INTEGRATION_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct run {
	int status; /* exit status; -signal when a signal ended it */
	bool timed_out;
	int64_t elapsed_ns;
	char out[65536], err[16384]; /* NUL-terminated, cut when longer */
};

/* A program that runs. */
struct running {
	pid_t pid;
	int out, err;
	int64_t began_ns;
};

/* Start it; a failed exec ends with status 127. The child dies with this process. */
void run_start(struct running *out, const char *const *argv);
/* Collect its output until it ends; after timeout_ms it is killed. */
void run_finish(struct run *out, struct running *running, int timeout_ms);
void run_command(struct run *out, const char *const *argv, int timeout_ms);

/* `pyhotpatch attach PID...` and whatever else is in the argument list, NULL-terminated. */
void run_pyhotpatch(struct run *out, const char *const *arguments);
void run_attach(struct run *out, pid_t pid);

/* The program under test (PYHOTPATCH in the environment). */
const char *pyhotpatch_path(void);

void sleep_ms(int ms);

#endif
