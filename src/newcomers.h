/* SPDX-License-Identifier: MIT
 *
 * Processes that start while an operation is under way, such as workers that a master forks:
 * found, to be served with the rest, or at least told of.
 */
#ifndef SRC_NEWCOMERS_H
#define SRC_NEWCOMERS_H

#include "inject/proc/family.h"
#include "src/outcome.h"
#include "src/selection.h"

/* Whom --tree, --unit and --match mean by now; empty without any of these. */
void newcomers_find(struct selection *out, const struct options *options);

struct newcomers {
	struct family before; /* empty when it could not be read */
};

void newcomers_begin(struct newcomers *out);
/* Notes in the outcome of each process that was changed, or changed back, that it has a child
 * with a Python which was not there at the beginning, and which has no outcome. */
void newcomers_note(const struct newcomers *newcomers, struct outcome *outcomes, size_t count);
void newcomers_fini(struct newcomers *newcomers);

#endif
