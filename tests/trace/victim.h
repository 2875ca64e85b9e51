/* SPDX-License-Identifier: MIT
 *
 * A process that does one thing, to be stopped and looked at. It is a child of the test, with
 * which it dies, and says through shared memory what it is doing: the truth that the
 * test compares a judgement with.
 */
#ifndef TESTS_TRACE_VICTIM_H
#define TESTS_TRACE_VICTIM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "inject/target/target.h"
#include "tests/trace/bodies.h"

struct victim {
	pid_t pid, tid;
	struct victim_shared *shared;
};

/* Start body in a new process, on its main thread or on another; returns when it is ready.
 * body must not return. */
void victim_spawn(struct victim *out, victim_body body, bool on_thread);
void victim_end(struct victim *victim);
/* The same in a program that is linked with musl, by the body's name. */
void victim_spawn_on_musl(struct victim *out, const char *body);
/* Ends the test as skipped when there is no such program here. */
void victim_needs_musl(void);
/* What target_describe() would find but for Python, which a victim is not. */
void victim_describe(struct target *out, const struct victim *victim);

#endif
