/* SPDX-License-Identifier: MIT
 *
 * A Python process to work on: one of tests/targets/ with a private copy of its sources, its
 * output read line by line.
 *
 * The invariant: the process belongs to the test and ends with it, and so does its folder.
 */
#ifndef TESTS_INTEGRATION_PYTARGET_H
#define TESTS_INTEGRATION_PYTARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "tests/integration/interpreters.h"
#include "tests/integration/run.h"

struct pytarget {
	pid_t pid;
	pid_t child;     /* what the test started: pid, or what it was started by */
	int in, out;     /* owned: its standard input and output */
	int version;     /* what its sources say: v<version> */
	bool on_demand;  /* it makes a round for each byte of its input */
	char dir[256];   /* its private folder */
	char label[120]; /* the interpreter's */
	char number[16]; /* pid, as an argument */
	char buffer[65536];
	size_t buffered;
};

/* What the target says in one line, see tests/targets/state.py. */
struct round {
	long number;
	double elapsed;
	int version; /* -1 when the answers differ from each other */
	char text[256];
};

/* Whether the targets started from now on compile to __pycache__, as most do (the default). */
extern bool pytarget_writes_bytecode;
/* A library to be preloaded into the targets started from now on, or NULL. */
extern const char *pytarget_preload;

/* Whether everybody may read the sources of the targets made from now on (default: no). */
extern bool pytarget_public;

/* Words that go before the interpreter, NULL-terminated, such as "unshare", "--pid", "--fork",
 * to start it in another place; NULL (the default): none. pid is that of the last descendant.
 */
extern const char *const *pytarget_wrapper;

/* Start `python SCRIPT MODE SECONDS` and wait for its first line. Failing ends the test. */
void pytarget_start(struct pytarget *out, const struct interpreter *interpreter,
		    const char *script, const char *mode, const char *seconds);
/* Start tests/targets/host.c with the interpreter's library; its rounds are made on demand. */
void pytarget_start_host(struct pytarget *out, const struct interpreter *interpreter,
			 const char *mode);
/* The folder alone, for a process of another kind; pytarget_stop() is due. */
void pytarget_make(struct pytarget *out, const char *label);
/* A private copy of one of tests/targets/ in it. */
void pytarget_install(struct pytarget *target, const char *name);
/* Start a program of the test's own, argv[0] a path, in a folder with those sources too. It
 * runs a round for each byte of its input. */
void pytarget_start_program(struct pytarget *out, const struct interpreter *interpreter,
			    const char *source, const char *const *argv);
/* Kill it and remove its folder. Accepts a zeroed one. */
void pytarget_stop(struct pytarget *target);

/* The next line that is a round; other lines are passed over, "CORRUPT" ends the test. */
void pytarget_next(struct pytarget *target, struct round *out);
/* Forget what was written so far. */
void pytarget_drain(struct pytarget *target);
/* A round that began after this call. */
void pytarget_fresh(struct pytarget *target, struct round *out);
/* Wait for a line that begins with `prefix`. */
void pytarget_await(struct pytarget *target, const char *prefix);

/* Write the next version of both edited modules. */
void pytarget_edit(struct pytarget *target);
/* A copy of the program under test in its folder that everybody may run; `path` is where. */
void pytarget_copy_program(const struct pytarget *target, char *path, size_t size);
/* What is at the end of that version's edited.py. */
void pytarget_append(const struct pytarget *target, const char *text);
/* Replace one file of its folder. */
void pytarget_write(struct pytarget *target, const char *name, const char *text);
/* Put the version that is meant to run back on disk. */
void pytarget_unedit(struct pytarget *target);

/* It has neither ended nor is a zombie. */
bool pytarget_alive(const struct pytarget *target);
/* Threads it has now; 0 when it is gone. */
size_t pytarget_threads(const struct pytarget *target);

/* End the test with everything that is known, unless it is so. */
void expect_status(const struct pytarget *target, const struct run *run, int status);
void expect_version(const struct pytarget *target, const struct round *round, int version);
void expect_text(const struct run *run, const char *text, const char *wanted);

/* End the test with a sentence and the target's standard error. */
void pytarget_fail(const struct pytarget *target, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
