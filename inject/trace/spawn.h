/* SPDX-License-Identifier: MIT
 *
 * A thread of our own in the target, made by one of the program's: the one thing that needs the
 * program's, which pthread_create() must be called on. Ours sleeps for a moment and ends,
 * unless it is sent somewhere else meanwhile.
 */
#ifndef INJECT_TRACE_SPAWN_H
#define INJECT_TRACE_SPAWN_H

#include "inject/trace/chain.h"

/* Functions of the target's libc, found before the stop. */
struct spawn {
	bool is_possible;
	remote_addr attr_init, set_detached, set_stack_size, create, sleep;
};
void spawn_find(struct spawn *out, const struct target *target);

enum spawn_outcome {
	SPAWN_MADE = 0,
	SPAWN_NOT =
		1, /* not this way, or not now: the thread is hijacked, and free for calls */
};
/* On the hijacked thread, which is stopped again afterwards. *thread is the new one's
 * arch_thread_pointer(). HP_TIMEOUT: the call blocked. */
HP_MUST_CHECK int spawn_thread(uint64_t *thread, struct tracee *tracee,
			       const struct spawn *spawn, const struct chains *chains,
			       struct deadline deadline, struct hp_err *err);

/* Whether a thread that is stopped is that one, in its sleep. */
bool spawn_is_it(const struct tracee *tracee, uint64_t thread);
/* Whether that stack pointer is its. */
bool spawn_has_stack(remote_addr sp, uint64_t thread);
/* Whether one that is in system call `nr` with its stack there may be it. */
bool spawn_may_be_it(long nr, remote_addr sp, uint64_t thread);

#endif
