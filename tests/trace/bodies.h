/* SPDX-License-Identifier: MIT
 *
 * What the victims do. Parked ones wait in one call for ever; active ones run, and say in
 * shared->inside when a stop would find them where nobody may call pthread_create(). Nothing
 * here knows the test: it is built for musl, too.
 */
#ifndef TESTS_TRACE_BODIES_H
#define TESTS_TRACE_BODIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define INSIDE_JOIN 2

struct victim_shared {
	volatile pid_t tid; /* the thread to look at; set when the victim is ready */
	/* Around a call of the allocator, the loader, or thread creation. The instructions
	 * between setting it and being in libc are the program's own. */
	volatile int inside; /* INSIDE_JOIN: only while it does not wait */
	/* By a signal handler: it interrupted libc while `inside` was set. */
	volatile int over_libc;
	volatile uint64_t rounds;
	volatile uint64_t wrong;       /* results */
	volatile long long called;     /* for a call made on it to write to */
	struct victim_shared *self;    /* where it is in the victim */
	uint64_t libc_start, libc_end; /* in the victim */
};

typedef void (*victim_body)(struct victim_shared *shared);

struct body {
	const char *name;
	victim_body run;
	bool on_thread;
};

extern const struct body parked_bodies[];
extern const size_t parked_body_count;
extern const struct body active_bodies[];
extern const size_t active_body_count;

/* A body calls it when it is about to do its thing. */
void victim_ready(struct victim_shared *shared);
/* This process becomes the victim, on its main thread or on another, and never returns. */
void victim_become(const struct body *body, struct victim_shared *shared)
	__attribute__((noreturn));

#endif
