/* SPDX-License-Identifier: MIT
 *
 * One job at a time in one process, whoever sent them and from whichever namespace.
 */
#ifndef PAYLOAD_COMMAND_TURN_H
#define PAYLOAD_COMMAND_TURN_H

#include "payload/job/job.h"

/* Waits, without the GIL, until no other job is at work here. -1: cancelled meanwhile; the
 * status says so. */
int turn_take(struct job *job);

/* After turn_take() has returned 0. */
void turn_give(void);

#endif
