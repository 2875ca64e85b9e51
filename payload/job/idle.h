/* SPDX-License-Identifier: MIT
 *
 * Not in the program's way: letting it run, and waiting until nobody runs what is to change
 * (--when-idle).
 */
#ifndef PAYLOAD_JOB_IDLE_H
#define PAYLOAD_JOB_IDLE_H

#include "payload/job/frames.h"

/* Lets the program's threads run for a moment if the GIL has been kept from them for long. Who
 * does one long thing after another without running bytecode calls it in between, but for one
 * who makes a plan: what the plan was made for must be there when it is done. */
void idle_let_run(struct job *job);

/* Lets the program run for some milliseconds. -1: cancelled meanwhile. */
int idle_pause(const struct job *job);

/* When to give up, as the request says. */
int64_t idle_limit_of(const struct job *job);

/* When the request asks for it: returns once no thread, generator or coroutine has a frame of a
 * code among the keys of `codes`. 0: so it is, and so it stays as long as the GIL is held; 1:
 * so it is, but the program has run meanwhile, and the plan is to be made anew; -1: given up,
 * with the frames reported, or cancelled. */
int idle_wait(struct job *job, const struct frame_types *types, PyObject *codes,
	      int64_t limit_ns);

#endif
