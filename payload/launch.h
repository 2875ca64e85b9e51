/* SPDX-License-Identifier: MIT
 *
 * The exported entries, and what serving needs to know of how it was started.
 */
#ifndef PAYLOAD_LAUNCH_H
#define PAYLOAD_LAUNCH_H

#include "payload/wire.h"

/* Start the worker thread; the result goes to channel->entry_result. */
__attribute__((visibility("default"))) void payload_launch(struct wire_channel *channel);

/* The same for a thread that is not hijacked, and returns to its caller. Our data is RW. */
__attribute__((visibility("default"))) void payload_enter(struct wire_channel *channel);

/* Serve on this very thread, if it holds the GIL; the result goes to channel->entry_result. */
__attribute__((visibility("default"))) void payload_lend(struct wire_channel *channel);

/* A thread of ours that runs start(arg) on `stack`, to be waited for with launch_join. 0 or an
 * errno value. */
int launch_thread(unsigned long *out, void *stack, unsigned long size, void *(*start)(void *),
		  void *arg);
void launch_join(unsigned long thread);

/* Whether the program that sent us still runs: it holds a lock on the memfd as long as it does,
 * and the kernel marks its end in channel->owner. To be asked before the work begins and before
 * the commit. 1 when it cannot be known. */
int channel_owner_lives(const struct wire_channel *channel);

#endif
