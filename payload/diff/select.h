/* SPDX-License-Identifier: MIT
 *
 * Which modules have a source that is not what runs.
 */
#ifndef PAYLOAD_DIFF_SELECT_H
#define PAYLOAD_DIFF_SELECT_H

#include "payload/job/job.h"

/* Reads and compiles them all, and keeps those that changed. -1: job->status is set, or an
 * exception. */
int select_changed(struct job *job);

#endif
