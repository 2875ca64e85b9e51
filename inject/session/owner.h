/* SPDX-License-Identifier: MIT
 *
 * A word in memory that we share, in which the kernel marks our death, whatever we die of: a
 * robust futex (set_robust_list(2)). For a target that has no descriptor of the memory, and so
 * cannot look at our lock.
 */
#ifndef INJECT_SESSION_OWNER_H
#define INJECT_SESSION_OWNER_H

#include <linux/futex.h>
#include <stddef.h>
#include <stdint.h>

/* Stays where it is while announced: the kernel walks it when the thread ends. */
struct owner {
	struct robust_list_head head;
	struct robust_list entry;
	struct robust_list_head *previous; /* the C library's own; NULL when not announced */
	size_t previous_size;
};

/* From now on until owner_withdraw(), by the same thread. Not being able to is no error: then
 * the word never changes. */
void owner_announce(struct owner *owner, uint32_t *word);
void owner_withdraw(struct owner *owner);

#endif
