/* SPDX-License-Identifier: MIT
 *
 * What an attach left in the target whose program was killed before a worker could start: a
 * memfd, and its mapping. The next attach finds it, unmaps it, and has its worker close it.
 *
 * The invariant: only what nobody executes, nor ever will, is removed. Its program is dead (the
 * lock on the memfd is free, and no thread of the target is traced but ours), and no thread was
 * ever sent into it (channel.guest). In doubt it stays.
 */
#ifndef INJECT_SESSION_LEFTOVERS_H
#define INJECT_SESSION_LEFTOVERS_H

#include <stddef.h>
#include <stdint.h>

#include "inject/session/step.h"
#include "payload/wire.h"

struct leftover {
	int32_t fd; /* the target's */
	uint64_t inode;
	remote_addr start, end; /* of its mapping; both null when there is none */
};

struct leftovers {
	struct leftover items[WIRE_LEFTOVERS];
	size_t count;
};

/* Look for them, from outside. What cannot be looked at is not found. */
void leftovers_find(struct leftovers *out, const struct target *target);
/* On the hijacked thread. What remains in it has a descriptor to be closed, and nothing more.
 */
void leftovers_unmap(struct leftovers *leftovers, const struct step *step);

#endif
