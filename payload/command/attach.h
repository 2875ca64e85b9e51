/* SPDX-License-Identifier: MIT
 *
 * The commands attach, plan and sources: what changed on disk, applied or only told; what could
 * change.
 */
#ifndef PAYLOAD_COMMAND_ATTACH_H
#define PAYLOAD_COMMAND_ATTACH_H

#include "payload/plan/plan.h"

/* The steps of an attach in one interpreter. Each but the last: -1, and nothing has changed;
 * job->status or an exception says why. */
struct attempt {
	struct migration migration;
	struct shadow shadow;
};

/* Finds what changed and runs the new module code where the program cannot see it. */
int attach_prepare(struct job *job, struct attempt *attempt);

/* Plans, to know that it can be planned. */
int attach_try(struct job *job, struct attempt *attempt);

/* Plans and commits, if there is anything to do. */
int attach_apply(struct job *job, struct attempt *attempt);

/* Due after attach_prepare in any case, with the status of the whole. */
void attach_finish(struct job *job, struct attempt *attempt, int status);

/* Tells what an attach would do. */
int attach_plan(struct job *job);
int attach_sources(struct job *job);

#endif
