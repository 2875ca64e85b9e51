/* SPDX-License-Identifier: MIT
 *
 * See owner.h. The C library has registered a list of its own for robust mutexes, of which we
 * have none.
 */
#include "inject/session/owner.h"

#include <sys/syscall.h>
#include <unistd.h>

void owner_announce(struct owner *owner, uint32_t *word)
{
	if (syscall(SYS_get_robust_list, 0, &owner->previous, &owner->previous_size) < 0) {
		owner->previous = NULL;
		return;
	}
	/* The kernel changes the word only when it holds the thread's id (kernel/futex/core.c,
	 * handle_futex_death). */
	__atomic_store_n(word, (uint32_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	owner->head = (struct robust_list_head){
		.list = {&owner->entry},
		.futex_offset = (long)((uintptr_t)word - (uintptr_t)&owner->entry),
	};
	owner->entry.next = &owner->head.list;
	(void)syscall(SYS_set_robust_list, &owner->head, sizeof(owner->head));
}

void owner_withdraw(struct owner *owner)
{
	if (owner->previous)
		(void)syscall(SYS_set_robust_list, owner->previous, owner->previous_size);
	owner->previous = NULL;
}
