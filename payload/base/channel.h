/* SPDX-License-Identifier: MIT
 *
 * The channel to the program outside, as this side of it sees it. ARCHITECTURE.md draws its
 * states.
 */
#ifndef PAYLOAD_BASE_CHANNEL_H
#define PAYLOAD_BASE_CHANNEL_H

#include "payload/wire.h"

/* One arrow of the channel's states. -1: it was in another one. */
int channel_swap_state(struct wire_channel *channel, uint32_t from, uint32_t to);

/* Whether the program that sent us still runs: it holds a lock on the memfd as long as it does,
 * and the kernel marks its end in channel->owner. To be asked before the work begins and before
 * the commit. 1 when it cannot be known. */
int channel_owner_lives(const struct wire_channel *channel);

#endif
