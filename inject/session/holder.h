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

enum holder_outcome {
	HOLDER_SERVED = 0, /* it has served, or, where the worker had begun, let it go on for a
			      while */
	HOLDER_NOT_FOUND,
	HOLDER_WORKS, /* it is at work: holder_await() is due, or holder_end() */
};

/* A thread of the target that works for us. It runs free, but is traced. */
struct holder;

/* While the worker waits for the GIL. -1: as of await_reply(); nothing was changed. Adds to
 * result's stops and held_ns. */
HP_MUST_CHECK int holder_find(struct holder **out, struct handover *handover,
			      struct judge *judge, const struct session_options *options,
			      struct session_result *result, struct hp_err *err);
/* As await_reply(), in its place. When the thread's work is over, it is let go and *holder is
 * NULL. */
HP_MUST_CHECK int holder_await(struct holder **holder, struct deadline until,
			       struct hp_err *err);
/* After the channel was cancelled, or in the end: the thread ends what it is at. */
void holder_end(struct holder **holder);

#endif
