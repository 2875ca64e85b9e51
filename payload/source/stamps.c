/* SPDX-License-Identifier: MIT
 *
 * See stamps.h. The invariant: a stamp is taken by the thread that moved `begun` past it, and
 * read when the other thread has ended.
 *
 * All that the other thread uses lies in memory of its own, and it ends by itself: the
 * interpreter may end while ours waits for the GIL, and ends ours there, with its stack
 * (take_gil() of Python/ceval_gil.h, up to 3.13).
 */
#include "payload/source/stamps.h"

#include "payload/base/sys.h"
#include "payload/base/thread.h"
#include "payload/job/file.h"

#define WORTH    200 /* to make a thread takes as long as to take so many */
#define PAUSE_NS 20000ll
#define PAUSES   500
#define AT_ONCE  16 /* for one thread: whose turn it is costs both of them a wait */

struct stamps {
	size_t size;
	uint32_t count, begun, is_complete; /* atomic */
	struct thread other;
	struct stamped items[];
};

int stamps_take(struct stamps *stamps)
{
	uint32_t at = __atomic_load_n(&stamps->begun, __ATOMIC_SEQ_CST), end;

	do {
		const uint32_t count = __atomic_load_n(&stamps->count, __ATOMIC_SEQ_CST);
		if (at >= count)
			return 0;
		end = count - at < AT_ONCE ? count : at + AT_ONCE;
	} while (!__atomic_compare_exchange_n(&stamps->begun, &at, end, 0, __ATOMIC_SEQ_CST,
					      __ATOMIC_SEQ_CST));
	for (struct stamped *item = &stamps->items[at]; item < &stamps->items[end]; item++)
		if (item->path)
			item->result = file_stamp_get(&item->stamp, item->path);
	return 1;
}

static void *take_all(void *argument)
{
	struct stamps *stamps = argument;
	int pauses = 0;

	while (pauses < PAUSES) {
		uint32_t is_complete = __atomic_load_n(&stamps->is_complete, __ATOMIC_SEQ_CST);
		if (stamps_take(stamps))
			continue;
		if (is_complete)
			break;
		sys_pause(PAUSE_NS);
		pauses++;
	}
	return NULL;
}

struct stamps *stamps_new(size_t room, int is_ours)
{
	size_t size = sizeof(struct stamps) + room * sizeof(struct stamped);
	struct stamps *stamps = sys_mmap_anonymous(size);

	if (!stamps) {
		PyErr_NoMemory();
		return NULL;
	}
	stamps->size = size;
	if (is_ours && room >= WORTH)
		thread_begin(&stamps->other, take_all, stamps);
	return stamps;
}

void stamps_list(struct stamps *stamps, PyObject *live, const char *path, size_t length)
{
	struct stamped *item = &stamps->items[stamps->count];

	item->live = live;
	item->path = path;
	item->length = length;
	__atomic_store_n(&stamps->count, stamps->count + 1, __ATOMIC_RELEASE);
}

const struct stamped *stamps_finish(struct stamps *stamps)
{
	__atomic_store_n(&stamps->is_complete, 1, __ATOMIC_SEQ_CST);
	thread_end(&stamps->other);
	return stamps->items;
}

void stamps_free(struct stamps *stamps)
{
	if (!stamps)
		return;
	stamps_finish(stamps);
	sys_munmap(stamps, stamps->size);
}
