/* SPDX-License-Identifier: MIT
 *
 * The processes that the command line means: those named by number, in that order, then those
 * that --tree, --unit and --match find, by number, each once.
 */
#ifndef SRC_SELECTION_H
#define SRC_SELECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "inject/base/err.h"
#include "src/options.h"

struct selection {
	pid_t *pids; /* owned */
	size_t count;
};

/* HP_NO_PROCESS when one of the selectors finds no Python. Never has this process in it, nor,
 * found by a pattern, those that it descends from. */
HP_MUST_CHECK int selection_make(struct selection *out, const struct options *options,
				 struct hp_err *err);
void selection_fini(struct selection *selection);

/* From here on options->pids names all that is meant. */
HP_MUST_CHECK int selection_resolve(struct options *options, struct hp_err *err);

bool selection_has(const struct selection *selection, pid_t pid);

#endif
