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

/* Returns 0 when the channel is DONE or FAILED. At the deadline, or when interrupted, the
 * channel is swapped to CANCELLED first, so that -1 (HP_TIMEOUT, HP_INTERRUPTED) means: never
 * patched, not later either. HP_TARGET_DIED when the process ended or replaced itself by exec.
 */
HP_MUST_CHECK int await_reply(const struct handover *handover, const struct target *target,
			      const struct session_options *options, struct hp_err *err);

/* Wait until the worker's thread has left; false when it has not in a few seconds. */
HP_MUST_CHECK bool await_worker_end(const struct handover *handover,
				    const struct target *target);

#endif
