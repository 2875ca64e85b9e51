/* SPDX-License-Identifier: MIT
 *
 * The one error object. Born where something fails (hp_err_set), given context on the way up
 * (hp_err_wrap), shown once, by src/diag.c. Nothing here allocates.
 *
 * The invariant: a function that returns -1 has filled *err, and a function that returns 0 has
 * not touched it. Undo failures go to undo_text and never replace the first error.
 */
#ifndef INJECT_BASE_ERR_H
#define INJECT_BASE_ERR_H

#include "inject/base/obstacles.h"

#define HP_MUST_CHECK __attribute__((warn_unused_result))

/* Kind, exit status, hint. The man page's table is checked against this one by a test. */
#define HP_ERR_KINDS(X)                                                                        \
	X(USAGE, 2, "see pyhotpatch --help")                                                   \
	X(NO_PROCESS, 3, "check the pid; pyhotpatch list shows the Python processes here")     \
	X(PERMISSION, 4, "run as the target's user, as root, or with CAP_SYS_PTRACE")          \
	X(NOT_PYTHON, 5, "pyhotpatch list shows the Python processes here")                    \
	X(UNSUPPORTED, 6, "CPython 3.7 to 3.15 on x86-64 can be served")                       \
	X(NO_SAFE_POINT, 7, "try again, or raise --timeout")                                   \
	X(TIMEOUT, 8, "nothing was changed; try again, or raise --timeout")                    \
	X(TARGET_DIED, 9, "the process ended by itself or by somebody else's signal")          \
	X(REFUSED, 10, "nothing was changed; the report says what stands in the way")          \
	X(BAD_REPORT, 11, "the payload's answer is malformed; please report this")             \
	X(SYSTEM, 12, "a system call failed in a way that is not expected")                    \
	X(INTERNAL, 13, "a bug in pyhotpatch; please report this")                             \
	X(TRACED, 14, "end the other tracer (a debugger, strace) first")                       \
	X(STOPPED, 15, "continue the process (kill -CONT PID), then attach again")             \
	X(ZOMBIE, 16, "the process has ended and waits for its parent")                        \
	X(FINALIZING, 17, "the interpreter is shutting down; there is nothing left to patch")  \
	X(SOURCE, 18, "nothing was changed; mend the source and attach again")                 \
	X(NOT_RESTORED, 19, "the target may not be as it was found; please report this")       \
	X(INTERRUPTED, 20, "nothing was changed")                                              \
	X(HELD_BACK, 21, "see what is said of the other process; --keep-going leaves it out")

enum hp_err_kind {
	HP_OK = 0,
#define X(name, exit_status, hint) HP_##name,
	HP_ERR_KINDS(X)
#undef X
		HP_ERR_KIND_COUNT
};

struct hp_err {
	enum hp_err_kind kind;
	enum hp_obstacle obstacle; /* what stands in the way, when it is one of the table */
	int sys_errno;             /* 0 when no system call is to blame */
	const char *file;          /* where the error was born */
	int line;
	char text[480]; /* "attach to process 4711: seize thread 4713: Operation not permitted"
			 */
	char hint[320]; /* the exact remedy when it is known better than by kind; or "" */
	char undo_text[160]; /* what could not be put back; "" when everything was */
};

/* Fill *err and return -1. With sys_errno != 0 ": strerror" is appended. */
#define hp_err_set(err, kind, sys_errno, ...)                                                  \
	hp_err_set_at(err, kind, sys_errno, __FILE__, __LINE__, __VA_ARGS__)
int hp_err_set_at(struct hp_err *err, enum hp_err_kind kind, int sys_errno, const char *file,
		  int line, const char *format, ...) __attribute__((format(printf, 6, 7)));

/* The same for an obstacle of the table, which knows the kind. */
#define hp_err_obstacle(err, obstacle, sys_errno, ...)                                         \
	hp_err_obstacle_at(err, obstacle, sys_errno, __FILE__, __LINE__, __VA_ARGS__)
int hp_err_obstacle_at(struct hp_err *err, enum hp_obstacle obstacle, int sys_errno,
		       const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 6, 7)));

/* Put "context: " before the text and return -1. */
int hp_err_wrap(struct hp_err *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Replace the kind's hint by an exact one; returns -1, so that it can end a return statement.
 */
int hp_err_hint(struct hp_err *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Note an undo that failed. Only the first is kept. */
void hp_err_undo(struct hp_err *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* "PERMISSION", "NO_SAFE_POINT": the name in JSON. Never NULL. */
const char *hp_err_kind_name(enum hp_err_kind kind);
int hp_err_exit_status(enum hp_err_kind kind);
/* "traced", "not-dumpable": the name in JSON and in the manual; "" for none. */
const char *hp_obstacle_name(enum hp_obstacle obstacle);
enum hp_err_kind hp_obstacle_kind(enum hp_obstacle obstacle);
/* The hint of this error: its own, or its obstacle's, or its kind's. */
const char *hp_err_hint_of(const struct hp_err *err);

#endif
