/* SPDX-License-Identifier: MIT
 *
 * The GIL that nobody gives up: a program around Python that waits in C and keeps it, as uwsgi
 * does without --enable-threads. The worker waits in vain then. The thread that holds the GIL
 * is looked for, and what the worker would have done is done on it.
 */
#ifndef INJECT_SESSION_HOLDER_H
#define INJECT_SESSION_HOLDER_H

#include "inject/base/err.h"
#include "inject/session/handover.h"
#include "inject/session/judge.h"
#include "inject/session/session.h"

enum holder_outcome { HOLDER_SERVED = 0, HOLDER_NOT_FOUND = 1 };

/* While the worker waits for the GIL. HOLDER_SERVED: the holder has served, or, where the
 * worker had begun, let it go on for a while. -1: as of await_reply(); nothing was changed.
 * Adds to result's stops and held_ns. */
HP_MUST_CHECK int holder_serve(struct handover *handover, struct judge *judge,
			       const struct session_options *options,
			       struct session_result *result, struct hp_err *err);

#endif
