/* SPDX-License-Identifier: MIT
 *
 * The command of a job, from entering the interpreter to leaving it.
 */
#ifndef PAYLOAD_COMMAND_COMMAND_H
#define PAYLOAD_COMMAND_COMMAND_H

#include "payload/job/job.h"

/* The command, with the GIL held. Sets job->status. */
void command_run(struct job *job);

/* Enters the interpreter that we are in. The audit event is the first that a hook of its hears
 * of us. -1: somebody vetoed, or an exception is set; command_leave is due in either case. */
int command_enter(struct job *job);

/* Leaves it; job->world is gone then. */
void command_leave(struct job *job);

#endif
