/* SPDX-License-Identifier: MIT
 *
 * See handover.h. The layout of the memory is drawn in payload/wire.h.
 */
#include "inject/session/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "inject/base/cleanup.h"
#include "inject/proc/procfs.h"
#include "inject/session/guest.h"
#include "inject/session/memory.h"
#include "inject/session/step.h"

#define PAGE  4096u
#define CHUNK (8u << 10) /* of the text: some 3 us */

static size_t page_up(size_t v)
{
	return (v + PAGE - 1) & ~(size_t)(PAGE - 1);
}

void handover_init(struct handover *handover, const struct image *image, size_t request_size)
{
	*handover = (struct handover){.image = image, .local_fd = -1, .remote_fd = -1};
	handover->channel_offset = image->size;
	handover->request_offset = handover->channel_offset + PAGE;
	handover->reply_offset = handover->request_offset + page_up(request_size);
	handover->total_size = handover->reply_offset + WIRE_REPLY_SIZE;
}

static void name_leftovers(struct wire_channel *channel, const struct leftovers *leftovers)
{
	for (size_t i = 0; leftovers && i < leftovers->count; i++) {
		channel->leftover_fd[i] = leftovers->items[i].fd;
		channel->leftover_inode[i] = leftovers->items[i].inode;
	}
}

/* With what a thread needs that is sent in. */
static int fill(struct handover *h, const struct target *target, struct span request,
		struct deadline deadline, struct hp_err *err)
{
	const size_t from = h->early_is_written ? h->image->text_size : h->image->early;
	/* A system call: not in the middle of writing the channel, whose guest would be SENT.
	 */
	const uint32_t owner = owner_word(&h->owner);

	image_relocate(h->image, h->image->bytes, h->base);
	if (memory_write_image(h, from, h->image->size, err) < 0)
		return -1;
	memcpy((uint8_t *)h->channel + (h->request_offset - h->channel_offset), request.data,
	       request.len);
	*h->channel = (struct wire_channel){
		.magic = WIRE_MAGIC,
		.version = WIRE_VERSION,
		.deadline_ns = deadline.at_ns,
		.entry_result = GUEST_UNKNOWN,
		.guest = WIRE_GUEST_NONE,
		.memfd = h->remote_fd,
		.owner = owner,
		.memfd_device = h->device,
		.memfd_inode = h->inode,
		.data_start = h->data_start.v,
		.data_size = h->data_size,
		.image_base = h->base.v,
		.image_size = h->total_size,
		.syscall_ret = target->libc.syscall_ret.v,
		.request_offset = h->request_offset - h->channel_offset,
		.request_size = request.len,
		.reply_offset = h->reply_offset - h->channel_offset,
		.reply_capacity = WIRE_REPLY_SIZE,
	};
	name_leftovers(h->channel, h->leftovers);
	return 0;
}

static bool is_whole(const struct handover *h)
{
	return h->written == h->image->early;
}

/* At most that much of all the rest, which is most of it: the worker waits for that. */
static int write_some(struct handover *h, size_t most, struct hp_err *err)
{
	const size_t left = h->image->early - h->written;
	const size_t some = left < most ? left : most;

	if (memory_write_image(h, h->written, h->written + some, err) < 0)
		return -1;
	h->written += some;
	return 0;
}

int handover_complete(struct handover *handover, struct hp_err *err)
{
	if (!is_whole(handover) && write_some(handover, SIZE_MAX, err) < 0) {
		handover_swap_state(handover, WIRE_EMPTY, WIRE_CANCELLED);
		return -1;
	}
	handover_swap_state(handover, WIRE_EMPTY, WIRE_PENDING);
	return 0;
}

static int64_t boot_ticks(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * sysconf(_SC_CLK_TCK) +
	       ts.tv_nsec / (1000000000 / sysconf(_SC_CLK_TCK));
}

/* Whether the target has a thread that is not older than that. */
static bool has_young_thread(const struct target *target, int64_t since_ticks)
{
	_cleanup_free_ pid_t *tids = NULL;
	struct hp_err ignored;
	size_t count;

	if (proc_threads(&tids, &count, target->procfd, &ignored) < 0)
		return true;
	for (size_t i = 0; i < count; i++) {
		char name[32];
		struct proc_stat stat;

		snprintf(name, sizeof(name), "task/%d", tids[i]);
		_cleanup_fd_ int fd =
			openat(target->procfd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0 && proc_stat_read(&stat, fd, &ignored) == 0 &&
		    (int64_t)stat.start_time >= since_ticks)
			return true;
	}
	return false;
}

/* The call is cut short. Unless a thread was started meanwhile, it was before pthread_create()
 * had made the worker. */
static int launch_cut_short(struct handover *h, const struct step *step, int64_t began_ticks,
			    struct hp_err *err)
{
	struct hp_err stop_err;

	if (tracee_take_back(step->tracee, &stop_err) < 0)
		*err = stop_err;
	else if (guest_result(h) == GUEST_UNKNOWN)
		h->launched = has_young_thread(step->target, began_ticks - 1);
	return hp_err_wrap(err, "start the worker thread");
}

static int launch(struct handover *h, const struct step *step, struct hp_err *err)
{
	const int64_t began_ticks = boot_ticks();
	struct hp_err later; /* handover_complete() says it again */

	h->launched = true; /* from here on it may run, until the opposite is known */
	if (guest_enter(h, step->tracee, h->image->launch, err) < 0)
		return launch_cut_short(h, step, began_ticks, err);
	/* As long as the thread is under way, this does not keep it. */
	while (guest_result(h) == GUEST_UNKNOWN && !is_whole(h) &&
	       write_some(h, CHUNK, &later) == 0)
		;
	if (guest_await(h, step->tracee, step_deadline(step->deadline), err) < 0)
		return launch_cut_short(h, step, began_ticks, err);
	/* It has done its call and blocks nowhere any more: all it may want for is a processor.
	 */
	if (guest_fetch(h, step->tracee, step->deadline, err) < 0)
		return hp_err_wrap(err, "start the worker thread");
	if (guest_result(h) != 0) {
		h->launched = false;
		return step_failed(step, "pthread_create", guest_result(h), err);
	}
	return 0;
}

/* The thread is the worker itself, and no other is in the image. */
static int send_in(struct handover *h, const struct step *step, struct hp_err *err)
{
	__atomic_store_n(&h->channel->guest, WIRE_GUEST_LEFT, __ATOMIC_RELEASE);
	h->launched = true;
	return tracee_leave(step->tracee, addr_add(h->base, h->image->work),
			    h->base.v + h->channel_offset, err);
}

/* The inverse of each step made, backwards. Not for a launched worker: the memory is its own
 * then, and what is left to do is to forbid it to begin. Nor on a thread that has gone back to
 * its own work: its saved registers are stale, and a call would put it back in time. */
static void undo(struct handover *h, const struct step *step, struct hp_err *err)
{
	struct hp_err failed;

	if (h->launched || h->returned) {
		if (!handover_swap_state(h, WIRE_PENDING, WIRE_CANCELLED))
			handover_swap_state(h, WIRE_EMPTY, WIRE_CANCELLED);
		hp_err_undo(err, "up to %zu KiB of address space stay mapped in the target",
			    h->total_size >> 10);
		return;
	}
	if (tracee_take_back(step->tracee, &failed) < 0 || step->tracee->state == TRACEE_GONE)
		return; /* releasing it says so */
	memory_give_back(h, step, err);
}

int handover_run(struct handover *handover, struct tracee *tracee, const struct target *target,
		 struct span request, struct deadline deadline, struct hp_err *err)
{
	const struct step step = {tracee, target, deadline};

	if (memory_make(handover, &step, err) == 0 &&
	    memory_divide(handover, &step, err) == 0 &&
	    fill(handover, target, request, deadline, err) == 0 &&
	    launch(handover, &step, err) == 0)
		return 0;
	undo(handover, &step, err);
	return -1;
}

int handover_run_apart(struct handover *handover, struct tracee *worker,
		       const struct chains *chains, struct span request,
		       struct deadline deadline, struct hp_err *err)
{
	const struct step step = {worker, worker->target, deadline};

	if (memory_make_apart(handover, &step, chains, err) == 0 &&
	    fill(handover, worker->target, request, deadline, err) == 0 &&
	    send_in(handover, &step, err) == 0)
		return 0;
	undo(handover, &step, err);
	return -1;
}

bool handover_swap_state(const struct handover *handover, uint32_t from, uint32_t to)
{
	if (!__atomic_compare_exchange_n(&handover->channel->state, &from, to, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return false;
	syscall(SYS_futex, &handover->channel->state, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
	return true;
}

int handover_open(struct handover *handover, const struct target *target, int32_t remote_fd,
		  struct hp_err *err)
{
	handover->remote_fd = remote_fd;
	return memory_open(handover, target, err) < 0 ? -1 : memory_view(handover, err);
}

int handover_offer(struct handover *handover, const struct target *target, remote_addr base,
		   struct span request, struct deadline deadline, struct hp_err *err)
{
	handover->base = base;
	handover->launched = true;
	if (fill(handover, target, request, deadline, err) < 0)
		return -1;
	return handover_complete(handover, err);
}

bool handover_admit(struct handover *handover)
{
	uint32_t left = WIRE_GUEST_LEFT;

	return __atomic_compare_exchange_n(&handover->channel->guest, &left, WIRE_GUEST_SENT,
					   false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

void handover_released(struct handover *handover)
{
	/* The worker changes it from LEFT alone. */
	if (handover->channel &&
	    __atomic_load_n(&handover->channel->guest, __ATOMIC_ACQUIRE) != WIRE_GUEST_SHUT)
		__atomic_store_n(&handover->channel->guest, WIRE_GUEST_LEFT, __ATOMIC_RELEASE);
}

void handover_fini(struct handover *handover)
{
	memory_close(handover);
}
