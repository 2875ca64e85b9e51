/* SPDX-License-Identifier: MIT
 *
 * Handing the payload over: what is done while the one thread is held. A memfd is made in the
 * target, written from here, mapped twice there, and a worker thread is started on it.
 *
 * The invariant: each step's inverse is recorded as the step is made, and handover_undo() plays
 * them backwards. Once the worker runs, the memory belongs to it: it unmaps itself, and only
 * the local view is ours to give back.
 */
#ifndef INJECT_SESSION_HANDOVER_H
#define INJECT_SESSION_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inject/base/deadline.h"
#include "inject/base/err.h"
#include "inject/base/span.h"
#include "inject/session/image.h"
#include "inject/session/leftovers.h"
#include "inject/session/owner.h"
#include "inject/target/target.h"
#include "inject/trace/chain.h"
#include "inject/trace/tracee.h"
#include "payload/wire.h"

struct handover {
	const struct image *image;   /* borrowed */
	struct leftovers *leftovers; /* likewise; what the worker closes, or NULL */
	size_t channel_offset;       /* in the memfd; everything after it likewise */
	size_t request_offset, reply_offset, total_size;

	int local_fd;  /* our own open file of the memfd; carries the lock that says we live */
	uint8_t *view; /* OWNER_REGION bytes of ours alone, then the memory from channel on */
	struct owner owner;           /* announces channel->owner */
	struct wire_channel *channel; /* inside view: volatile in spirit, read with atomics */

	int32_t remote_fd;      /* -1 when there is none to close */
	remote_addr base;       /* null when nothing is mapped */
	remote_addr data_start; /* these two: what is still R-X and is to become RW */
	size_t data_size;
	size_t written;         /* [0, written) of the text, in the memfd */
	uint64_t device, inode; /* of the shared memory */
	bool early_is_written;  /* image->early, in the memfd */
	bool text_is_private;   /* it must be written apart: see memory.c */
	bool returned; /* the thread went back by the frame: no call can be made on it */
	bool launched; /* the worker runs, or may run: the memory is its own */
};

void handover_init(struct handover *handover, const struct image *image, size_t request_size);

/* On the hijacked thread: make, map, start. Returns -1 with everything undone as far as can be
 * known to be safe. HP_TIMEOUT: a step blocked; try another thread. The worker waits for
 * handover_complete() then, which nobody need be held for. */
HP_MUST_CHECK int handover_run(struct handover *handover, struct tracee *tracee,
			       const struct target *target, struct span request,
			       struct deadline deadline, struct hp_err *err);

/* The same on a hijacked thread of ours: make, map, send it in, as nobody's tracee any more. */
HP_MUST_CHECK int handover_run_apart(struct handover *handover, struct tracee *worker,
				     const struct chains *chains, struct span request,
				     struct deadline deadline, struct hp_err *err);

HP_MUST_CHECK int handover_complete(struct handover *handover, struct hp_err *err);

/* Without a hijacked thread, for a memfd that the target has made by itself: get our view of
 * it; then, once it is mapped at `base`, fill it, on which the target starts the worker. */
HP_MUST_CHECK int handover_open(struct handover *handover, const struct target *target,
				int32_t remote_fd, struct hp_err *err);
HP_MUST_CHECK int handover_offer(struct handover *handover, const struct target *target,
				 remote_addr base, struct span request,
				 struct deadline deadline, struct hp_err *err);

/* May another thread be sent into the image? Not when the worker is about to unmap it. */
HP_MUST_CHECK bool handover_admit(struct handover *handover);

/* After handover_run() or handover_admit(), and once the thread was restored: it executes
 * nothing of ours any more, which the worker waits to hear. */
void handover_released(struct handover *handover);

/* One arrow of the channel's states; wakes the payload. False when it was in another state. */
bool handover_swap_state(const struct handover *handover, uint32_t from, uint32_t to);

/* Give the local view back and drop the lock. */
void handover_fini(struct handover *handover);

#endif
