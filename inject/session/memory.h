/* SPDX-License-Identifier: MIT
 *
 * The memory that the target and we share, and its executable part.
 *
 *   backing   a memfd of the target's; where that is denied, anonymous shared memory, which we
 *             open through /proc/PID/map_files (as root)
 *   text      the backing, mapped R-X; where that is refused, private memory, written while it
 *             is RW and then made R-X
 *
 * The invariant: no page is writable and executable at once, and whatever was made so far,
 * memory_give_back() takes away.
 */
#ifndef INJECT_SESSION_MEMORY_H
#define INJECT_SESSION_MEMORY_H

#include "inject/base/err.h"
#include "inject/session/handover.h"
#include "inject/session/step.h"
#include "inject/trace/chain.h"

/* Make it and map it, at handover->base in the target; handover->channel and what is behind it
 * are ours to write afterwards. */
HP_MUST_CHECK int memory_make(struct handover *handover, const struct step *step,
			      struct hp_err *err);
/* The same in two steps for a memfd that the target has made by itself, handover->remote_fd:
 * open it, lock it and give it its size; then our view of it. */
HP_MUST_CHECK int memory_open(struct handover *handover, const struct target *target,
			      struct hp_err *err);
HP_MUST_CHECK int memory_view(struct handover *handover, struct hp_err *err);
/* Give the view back, and drop the lock. */
void memory_close(struct handover *handover);
/* The bytes [from, to) of the image. By one call rather than through our view, where each page
 * of it would be a fault. */
HP_MUST_CHECK int memory_write_image(const struct handover *handover, size_t from, size_t to,
				     struct hp_err *err);
/* Text R-X, the rest RW; or the latter as what payload_launch() is to do. */
HP_MUST_CHECK int memory_divide(struct handover *handover, const struct step *step,
				struct hp_err *err);
/* All of that on a thread of ours, while those of the program run, and may fork. Where a memfd
 * or shared executable memory is denied it fails. */
HP_MUST_CHECK int memory_make_apart(struct handover *handover, const struct step *step,
				    const struct chains *chains, struct hp_err *err);
/* What could not be taken away is noted in err->undo_text. */
void memory_give_back(const struct handover *handover, const struct step *step,
		      struct hp_err *err);

#endif
