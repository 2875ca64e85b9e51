/* SPDX-License-Identifier: MIT
 *
 * What must be true of a target whose pyhotpatch was killed: it is alive, nobody's tracee, its
 * results are right, it is either fully old or fully new, and the next attach works.
 */
#ifndef TESTS_INTEGRATION_SURVIVAL_H
#define TESTS_INTEGRATION_SURVIVAL_H

#include "tests/integration/pytarget.h"

struct survival {
	struct pytarget *target; /* borrowed */
	size_t threads;          /* as many as it has undisturbed */
	int was_old, was_new;
};

/* Zeroed before the first time; begun again with another target it goes on counting. */
void survival_begin(struct survival *out, struct pytarget *target);

/* The same with a target that is started for it: script MODE, or without a script the host. */
void survival_start(struct survival *out, struct pytarget *target,
		    const struct interpreter *python, const char *script, const char *mode);

/* After the kill; target->version is what the disk holds. Ends the test with the sentence when
 * something is not as it must be. Afterwards the target runs target->version. */
void survival_check(struct survival *survival, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
