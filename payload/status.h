/* SPDX-License-Identifier: MIT
 *
 * The commands status and forget: what is kept in the target, told and removed.
 */
#ifndef PAYLOAD_STATUS_H
#define PAYLOAD_STATUS_H

#include "payload/job.h"

/* Each sets job->status. -1: nothing has changed; job->status or an exception says why. */
int status_run(struct job *job);
int status_forget(struct job *job);

#endif
