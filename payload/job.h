/* SPDX-License-Identifier: MIT
 *
 * One attach as the payload sees it, from the request to the reply.
 */
#ifndef PAYLOAD_JOB_H
#define PAYLOAD_JOB_H

#include "payload/reply.h"
#include "payload/wire.h"

struct job {
	struct wire_channel *channel; /* borrowed */
	struct reply reply;
	enum wire_status status; /* NONE until decided */
};

/* The reload, with the GIL held. Sets job->status. */
void job_run(struct job *job);

void job_phase(struct job *job, enum wire_phase phase);

/* Swaps RUNNING for COMMITTING. -1: cancelled or too late; nothing may be written. */
int job_begin_commit(struct job *job);

#endif
