/* SPDX-License-Identifier: MIT
 *
 * The command rollback: attaches taken back, all that are asked for or none.
 */
#ifndef PAYLOAD_ROLLBACK_H
#define PAYLOAD_ROLLBACK_H

#include "payload/job.h"

/* Plans, to know that it can be done. 0: there is nothing to take back, as job->status says; 1:
 * there is, and it can be; -1: it cannot. */
int rollback_try(struct job *job);

/* Sets job->status. -1: nothing has changed; job->status or an exception says why. */
int rollback_run(struct job *job);

#endif
