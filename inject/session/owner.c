/* SPDX-License-Identifier: MIT
 *
 * See owner.h. The C library has registered a list of its own for robust mutexes, of which we
 * have none. The invariant: while one of ours is announced the thread's list is ours, and what
 * the kernel walks lies in memory that no target can write.
 */
#include "inject/session/owner.h"

#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "payload/wire.h"

#define DISTANCE ((long)(OWNER_REGION + offsetof(struct wire_channel, owner)))

struct list {
	struct robust_list_head head;
	struct robust_list_head *previous; /* the C library's own */
	size_t previous_size;
};

static void publish(struct robust_list_head *head, size_t size)
{
	(void)syscall(SYS_set_robust_list, head, size);
}

/* The thread's list, if it is ours: the C library's words are nearer to their entries. */
static struct list *current(struct robust_list_head **head, size_t *size)
{
	if (syscall(SYS_get_robust_list, 0, head, size) < 0)
		*head = NULL;
	return *head && (*head)->futex_offset == DISTANCE ? (struct list *)*head : NULL;
}

static struct list *make_list(void)
{
	struct robust_list_head *head;
	size_t size;
	struct list *list = current(&head, &size);

	if (list || !head)
		return list;
	list = malloc(sizeof(*list));
	if (!list)
		return NULL;
	*list = (struct list){
		.head = {.futex_offset = DISTANCE}, .previous = head, .previous_size = size};
	list->head.list.next = &list->head.list;
	publish(&list->head, sizeof(list->head));
	return list;
}

/* The kernel changes the word only when it holds the thread's id (kernel/futex/core.c,
 * handle_futex_death). */
uint32_t owner_word(const struct owner *owner)
{
	return owner->region ? (uint32_t)syscall(SYS_gettid) : 0;
}

void owner_announce(struct owner *owner, uint8_t *region)
{
	struct list *list = make_list();
	struct robust_list *entry;
	uint32_t *word;

	owner->region = list ? region : NULL;
	if (!owner->region)
		return;
	word = &((struct wire_channel *)(owner->region + OWNER_REGION))->owner;
	__atomic_store_n(word, owner_word(owner), __ATOMIC_RELEASE);
	entry = (struct robust_list *)owner->region;
	entry->next = list->head.list.next;
	list->head.list.next = entry;
}

void owner_withdraw(struct owner *owner)
{
	struct robust_list_head *head;
	size_t size;
	struct list *list = current(&head, &size);

	if (!owner->region)
		return;
	for (struct robust_list *at = list ? &list->head.list : NULL; at; at = at->next) {
		if (at->next == (struct robust_list *)owner->region) {
			at->next = at->next->next;
			break;
		}
		if (at->next == &list->head.list)
			break;
	}
	owner->region = NULL;
	if (list && list->head.list.next == &list->head.list) {
		publish(list->previous, list->previous_size);
		free(list);
	}
}
