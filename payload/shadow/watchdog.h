/* SPDX-License-Identifier: MIT
 *
 * New module code that does not end by itself. A second thread watches while it runs; when the
 * attach is cancelled or late, or nobody waits for it any more, it raises an asynchronous
 * exception in the worker, again and again until the code has ended.
 *
 * Code that waits in C meets the exception when it comes back to Python.
 */
#ifndef PAYLOAD_SHADOW_WATCHDOG_H
#define PAYLOAD_SHADOW_WATCHDOG_H

#include <stddef.h>
#include <stdint.h>

#include "payload/base/py.h"
#include "payload/base/thread.h"
#include "payload/wire.h"

struct watchdog {
	const struct wire_channel *channel; /* borrowed */
	PyObject *exception;                /* borrowed: a class */
	unsigned long worker;               /* its ident */
	struct thread thread;
	uint32_t is_over;    /* futex word: the code has ended; atomic */
	uint32_t has_struck; /* written with the GIL held */
};

/* Where no thread can be made the code runs unwatched. `exception` is raised in this thread. */
void watchdog_begin(struct watchdog *out, const struct wire_channel *channel,
		    PyObject *exception);

/* Called with the GIL held, gives it away for a moment. Keeps a pending exception. Returns
 * whether the code was asked to end. */
int watchdog_end(struct watchdog *watchdog);

#endif
