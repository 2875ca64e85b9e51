/* SPDX-License-Identifier: MIT
 *
 * A word in memory that we share, in which the kernel marks our death, whatever we die of: a
 * robust futex (set_robust_list(2)). For a target that has no descriptor of the memory, and so
 * cannot look at our lock.
 *
 * A thread has one list of such words, and all are at the same distance from their entries:
 *
 *   region   entry of the list   |  the channel's page
 *            (ours alone)        |  ... wire_channel.owner ...
 */
#ifndef INJECT_SESSION_OWNER_H
#define INJECT_SESSION_OWNER_H

#include <stddef.h>
#include <stdint.h>

struct owner {
	uint8_t *region; /* NULL when not announced */
};

#define OWNER_REGION 4096u /* what lies before the channel's page */

/* The channel's owner word is marked from now on until owner_withdraw(), by the same thread.
 * `region`, of OWNER_REGION bytes, all zeros, is borrowed until then. Not being able to is no
 * error: then the word never changes. */
void owner_announce(struct owner *owner, uint8_t *region);
void owner_withdraw(struct owner *owner);
/* What the word must hold meanwhile, should somebody write over it; 0 when not announced. */
uint32_t owner_word(const struct owner *owner);

#endif
