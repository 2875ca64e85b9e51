/* SPDX-License-Identifier: MIT
 *
 * See guest.h.
 */
#include "inject/session/guest.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS      1000000 /* how often to look whether the thread still runs */
#define PAUSE_MIN_NS 10000   /* for it to come out of our text */
#define PAUSE_MAX_NS 5000000

int32_t guest_result(const struct handover *handover)
{
	return __atomic_load_n(&handover->channel->entry_result, __ATOMIC_ACQUIRE);
}

int guest_enter(struct handover *handover, struct tracee *tracee, uint64_t entry,
		struct hp_err *err)
{
	__atomic_store_n(&handover->channel->entry_result, GUEST_UNKNOWN, __ATOMIC_RELEASE);
	__atomic_store_n(&handover->channel->guest, WIRE_GUEST_SENT, __ATOMIC_RELEASE);
	return tracee_call(tracee, addr_add(handover->base, entry),
			   handover->base.v + handover->channel_offset, err);
}

int guest_await(const struct handover *handover, struct tracee *tracee,
		struct deadline deadline, struct hp_err *err)
{
	const struct timespec ts = {.tv_nsec = LOOK_NS};

	while (guest_result(handover) == GUEST_UNKNOWN) {
		if (tracee_check(tracee, err) < 0)
			return -1;
		if (deadline_passed(deadline))
			return hp_err_set(err, HP_TIMEOUT, 0,
					  "thread %d did not end its call in time",
					  tracee->tid);
		syscall(SYS_futex, &handover->channel->entry_result, FUTEX_WAIT, GUEST_UNKNOWN,
			&ts, NULL, 0);
	}
	return 0;
}

/* It waits no longer only when the program closes descriptors that it does not know: then the
 * frame has restored it already. */
int guest_fetch(struct handover *handover, struct tracee *tracee, struct deadline deadline,
		struct hp_err *err)
{
	enum tracee_place place = TRACEE_IN_CALL;
	struct timespec pause = {.tv_nsec = PAUSE_MIN_NS};

	for (;;) {
		if (tracee_take_back(tracee, err) < 0 ||
		    tracee_locate(&place, tracee, handover->base,
				  addr_add(handover->base, handover->image->text_size),
				  err) < 0)
			return -1;
		if (place != TRACEE_IN_CALL)
			break;
		if (deadline_passed(deadline))
			return hp_err_set(err, HP_TIMEOUT, 0,
					  "thread %d does not leave its call", tracee->tid);
		if (tracee_go_on(tracee, err) < 0)
			return -1;
		/* Interrupted again before it has had a processor it would get nowhere. */
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < PAUSE_MAX_NS)
			pause.tv_nsec *= 2;
	}
	handover->returned = place == TRACEE_RETURNED;
	handover_released(handover);
	return 0;
}
