/* SPDX-License-Identifier: MIT
 *
 * A process that does one thing, to be stopped and looked at. It is forked from the test, so
 * that it dies with it, and says through shared memory what it is doing: the truth that the
 * test compares a judgement with.
 */
#ifndef TESTS_TRACE_VICTIM_H
#define TESTS_TRACE_VICTIM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "inject/target/target.h"

#define INSIDE_JOIN 2

struct victim_shared {
	volatile pid_t tid; /* the thread to look at; set when the victim is ready */
	/* Around a call of the allocator, the loader, or thread creation. The instructions
	 * between setting it and being in libc are the program's own. */
	volatile int inside; /* INSIDE_JOIN: only while it does not wait */
	/* By a signal handler: it interrupted libc while `inside` was set. */
	volatile int over_libc;
	volatile uint64_t rounds;
	uint64_t libc_start, libc_end; /* as in the test, which it was forked from */
};

struct victim {
	pid_t pid, tid;
	struct victim_shared *shared;
};

typedef void (*victim_body)(struct victim_shared *shared);

/* Start body in a new process, on its main thread or on another; returns when it is ready.
 * body must not return. */
void victim_spawn(struct victim *out, victim_body body, bool on_thread);
void victim_end(struct victim *victim);
/* body calls it when it is about to do its thing. */
void victim_ready(struct victim_shared *shared);

/* What target_describe() would find but for Python, which a victim is not. */
void victim_describe(struct target *out, const struct victim *victim);

#endif
