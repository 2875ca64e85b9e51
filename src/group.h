/* SPDX-License-Identifier: MIT
 *
 * Several processes as one operation: all are prepared side by side, then all are changed, or
 * none is.
 */
#ifndef SRC_GROUP_H
#define SRC_GROUP_H

#include <stddef.h>

#include "src/ask.h"
#include "src/outcome.h"
#include "src/selection.h"

struct outcomes {
	struct outcome *items; /* owned, and so is what is in them */
	size_t count;
};

void outcomes_fini(struct outcomes *outcomes);

/* One outcome for each of the processes, in that order, and then for those that started
 * meanwhile and belong to the selectors of ask->options as well. The request is one with
 * WIRE_TOGETHER. When one of them cannot be changed, the others are HP_HELD_BACK. -1: no
 * memory, nothing was done. */
HP_MUST_CHECK int group_serve(struct outcomes *out, const struct ask *ask,
			      const struct selection *chosen, struct hp_err *err);

#endif
