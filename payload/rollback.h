/* SPDX-License-Identifier: MIT
 *
 * The command rollback: attaches taken back, all that are asked for or none.
 */
#ifndef PAYLOAD_ROLLBACK_H
#define PAYLOAD_ROLLBACK_H

#include "payload/job.h"

/* Sets job->status. -1: nothing has changed; job->status or an exception says why. */
int rollback_run(struct job *job);

#endif
