/* SPDX-License-Identifier: MIT
 *
 * Waiting for the worker: its answer, and then its end. Nothing of the target is held
 * meanwhile.
 */
#ifndef INJECT_SESSION_AWAIT_H
#define INJECT_SESSION_AWAIT_H

#include <stdbool.h>

#include "inject/base/err.h"
#include "inject/session/handover.h"
#include "inject/session/session.h"
#include "inject/target/target.h"

struct await {
	const struct handover *handover; /* these three are borrowed */
	const struct target *target;
	const struct session_options *options;
	int64_t began_ns, progress_ns;
};
struct await await_of(const struct handover *handover, const struct target *target,
		      const struct session_options *options);

/* Returns an enum session_stage: SESSION_ANSWERED when the channel is DONE or FAILED,
 * SESSION_BUSY at `until`, the others when the payload waits for us. At the deadline of the
 * options, or when interrupted, the channel is swapped to CANCELLED first, so
 * that -1 (HP_TIMEOUT, HP_INTERRUPTED) means: never patched, not later either. HP_TARGET_DIED
 * when the process ended or replaced itself by exec. */
HP_MUST_CHECK int await_reply(struct await *await, struct deadline until, struct hp_err *err);

/* Swaps the channel to CANCELLED. False when the payload has begun to change the program, or
 * has answered. */
bool await_cancel(const struct await *await);

/* Whether the worker may be waiting for the GIL: to begin, or because it had to give it up in
 * the middle. */
bool await_may_want_gil(const struct await *await);

/* Whether the payload has begun with what it was asked for. */
bool await_has_turn(const struct await *await);

/* The worker's thread; 0 when it has left. */
pid_t await_worker(const struct handover *handover, const struct target *target);
/* Wait until that thread has left; false when it has not in that time. */
bool await_thread_end(const struct target *target, pid_t tid, int64_t patience_ns);

#endif
