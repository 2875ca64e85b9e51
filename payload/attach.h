/* SPDX-License-Identifier: MIT
 *
 * The commands attach and plan: what changed on disk, applied or only told.
 */
#ifndef PAYLOAD_ATTACH_H
#define PAYLOAD_ATTACH_H

#include "payload/job.h"

/* Each sets job->status. -1: nothing has changed; job->status or an exception says why. */
int attach_run(struct job *job);
int attach_plan(struct job *job);

#endif
