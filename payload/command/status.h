/* SPDX-License-Identifier: MIT
 *
 * What is kept in an interpreter, told and removed.
 */
#ifndef PAYLOAD_COMMAND_STATUS_H
#define PAYLOAD_COMMAND_STATUS_H

#include "payload/job/job.h"

/* Reports the frames that have not come to what was applied. -1 with an exception. */
int status_frames(struct job *job);

/* Removes all of it. 1: there was something; 0; -1 with an exception. */
int status_forget(struct job *job);

#endif
