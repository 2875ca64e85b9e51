/* SPDX-License-Identifier: MIT
 *
 * One of several processes that are changed all or none (WIRE_TOGETHER): waiting, without the
 * GIL, for the program outside, which hears from all of them and decides.
 */
#ifndef PAYLOAD_COMMAND_TOGETHER_H
#define PAYLOAD_COMMAND_TOGETHER_H

#include "payload/job/job.h"

int together_is_asked(const struct job *job);

/* When it is asked for: says that all is prepared and waits for the others. 0: it may be done,
 * and the program has run meanwhile; -1: nothing is to be done, job->status says why. */
int together_wait(struct job *job);

/* When it is asked for, after the changes: waits for word whether they stay. When
 * not, or when nobody is left to say it, they are taken back: job->status is REVOKED, or BROKEN
 * when that was refused. */
int together_settle(struct job *job);

#endif
