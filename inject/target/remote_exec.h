/* SPDX-License-Identifier: MIT
 *
 * The interpreter's own way to execute a script that somebody else names (PEP 768, CPython 3.14
 * and later), and the switches by which whoever runs a program forbids it. These are heeded
 * whatever way we go, and whatever the version: who set one did not mean a mechanism, but that
 * nobody shall change the running program, and sets it for all interpreters alike.
 */
#ifndef INJECT_TARGET_REMOTE_EXEC_H
#define INJECT_TARGET_REMOTE_EXEC_H

#include <stdbool.h>

#include "inject/base/err.h"
#include "inject/base/span.h"
#include "inject/target/target.h"

#define REMOTE_EXEC_PATH 512u /* how much room there is for the name of a script */

/* Fill target->remote_exec. That there is none is no error. */
void remote_exec_find(struct target *target);
/* The same from the head of _PyRuntime, `len` bytes of it: where things are. The pure part. */
struct remote_exec_offsets {
	uint64_t interpreters_head; /* in _PyRuntime */
	uint64_t interpreter_size, interpreter_id, interpreter_next, main_thread, enabled;
	uint64_t eval_breaker, pending, path; /* in a thread's state */
};
bool remote_exec_offsets_of(struct remote_exec_offsets *out, struct span head);

/* Whether the interpreter would execute a script for us, as far as can be known. */
bool remote_exec_is_open(const struct target *target);

/* The obstacle that it is forbidden: by the environment, by an option, or as it was built. */
HP_MUST_CHECK int remote_exec_check(const struct target *target, struct hp_err *err);
/* Whether /proc/PID/environ, or the words of /proc/PID/cmdline, have the switch. */
bool remote_exec_is_off_in_environment(struct span environment);
bool remote_exec_is_off_in_command(struct span command);

#endif
