/* SPDX-License-Identifier: MIT
 *
 * The exported entries for threads of the program.
 */
#ifndef PAYLOAD_ENTRY_LAUNCH_H
#define PAYLOAD_ENTRY_LAUNCH_H

#include "payload/wire.h"

/* Start the worker thread; the result goes to channel->entry_result. */
__attribute__((visibility("default"))) void payload_launch(struct wire_channel *channel);

/* The same for a thread that is not hijacked, and returns to its caller. Our data is RW. */
__attribute__((visibility("default"))) void payload_enter(struct wire_channel *channel);

/* Serve, on a thread that is sent in for good. Where it returns to must be outside of the
 * image, which is gone then. */
__attribute__((visibility("default"))) void payload_work(struct wire_channel *channel);

/* Serve on this very thread, if it holds the GIL; the result goes to channel->entry_result. */
__attribute__((visibility("default"))) void payload_lend(struct wire_channel *channel);

#endif
