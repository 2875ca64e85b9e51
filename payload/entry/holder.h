/* SPDX-License-Identifier: MIT
 *
 * Serving on a thread of the program that holds the GIL and does not give it up: a host that
 * waits in C, as uwsgi does without --enable-threads.
 */
#ifndef PAYLOAD_ENTRY_HOLDER_H
#define PAYLOAD_ENTRY_HOLDER_H

#include "payload/wire.h"

/* 0: served, unless the worker had begun before, and that, which waited for the GIL, was let
 * through for as long as it needs, within reason. EBUSY: this thread does not hold the GIL;
 * nothing was done. */
int holder_serve(struct wire_channel *channel);

#endif
