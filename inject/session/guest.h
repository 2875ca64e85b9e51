/* SPDX-License-Identifier: MIT
 *
 * A hijacked thread in the payload's image: sent in by a call, and fetched from where it waits
 * for our lock.
 *
 * The invariant: whenever we are killed, the thread gets back by itself, and the worker does
 * not unmap the image under it (payload/entry/launch.c).
 */
#ifndef INJECT_SESSION_GUEST_H
#define INJECT_SESSION_GUEST_H

#include <stdint.h>

#include "inject/base/deadline.h"
#include "inject/base/err.h"
#include "inject/session/handover.h"
#include "inject/trace/tracee.h"

#define GUEST_UNKNOWN (-1)

/* channel.entry_result: GUEST_UNKNOWN while the thread is at it. */
int32_t guest_result(const struct handover *handover);

/* Let the hijacked thread run the entry at this offset of the image. */
HP_MUST_CHECK int guest_enter(struct handover *handover, struct tracee *tracee, uint64_t entry,
			      struct hp_err *err);

/* Wait, the thread running free, until guest_result() is known. HP_TIMEOUT otherwise, and what
 * tracee_check() says. */
HP_MUST_CHECK int guest_await(const struct handover *handover, struct tracee *tracee,
			      struct deadline deadline, struct hp_err *err);

/* Stop the thread, whose result is known, where it executes nothing of ours any more, whatever
 * becomes of us. */
HP_MUST_CHECK int guest_fetch(struct handover *handover, struct tracee *tracee,
			      struct deadline deadline, struct hp_err *err);

#endif
