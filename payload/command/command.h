/* SPDX-License-Identifier: MIT
 *
 * The command of a job, from entering the interpreter to leaving it.
 */
#ifndef PAYLOAD_COMMAND_COMMAND_H
#define PAYLOAD_COMMAND_COMMAND_H

#include "payload/job/job.h"

/* The command, with the GIL held. Sets job->status. */
void command_run(struct job *job);

/* Leaves the interpreter that we are in; job->world is gone then. */
void command_leave(struct job *job);

/* Raises the audit event, in the interpreter that we are in. -1: somebody vetoed. */
int command_announce(struct job *job);

#endif
