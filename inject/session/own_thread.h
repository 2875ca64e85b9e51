/* SPDX-License-Identifier: MIT
 *
 * The payload handed over on a thread of our own (trace/spawn.h), which becomes the worker: all
 * that a thread of the program is held for is to make that one.
 */
#ifndef INJECT_SESSION_OWN_THREAD_H
#define INJECT_SESSION_OWN_THREAD_H

#include "inject/session/handover.h"
#include "inject/trace/spawn.h"

struct own_thread {
	const struct target *target; /* borrowed */
	struct chains chains;
	struct spawn spawn;
	uint64_t thread; /* its arch_thread_pointer(); 0: none was made */
};

/* Before anything is stopped. */
void own_thread_prepare(struct own_thread *out, const struct target *target);

/* With an initialised handover. On failure everything is undone, and the thread ends by itself;
 * a thread of the program may serve in its stead. */
HP_MUST_CHECK int own_thread_run(struct handover *handover, const struct own_thread *own,
				 struct span request, struct deadline deadline,
				 struct hp_err *err);

#endif
