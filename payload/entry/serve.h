/* SPDX-License-Identifier: MIT
 *
 * What the worker thread does between its start and its end.
 */
#ifndef PAYLOAD_ENTRY_SERVE_H
#define PAYLOAD_ENTRY_SERVE_H

#include "payload/wire.h"

#define PAYLOAD_EXPORT __attribute__((visibility("default")))

/* Called on a thread of its own that does not hold the GIL, and perhaps once more, on one that
 * does; whoever has it first serves. On return the thread holds it as before, channel->state is
 * final and the reply is complete (or, when the channel was cancelled, does not matter). It
 * never touches memfd, image or the thread itself. */
PAYLOAD_EXPORT void payload_serve(struct wire_channel *channel);

#endif
