/* SPDX-License-Identifier: MIT
 *
 * Which modules have a source that is not what runs.
 */
#ifndef PAYLOAD_SELECT_H
#define PAYLOAD_SELECT_H

#include "payload/job.h"

void modules_fini(struct modules *modules);

/* Fills job->modules with those whose file may have changed, going by stat alone. */
int select_candidates(struct job *job);

/* Reads and compiles them all, and keeps those that changed. -1: job->status is set, or an
 * exception. */
int select_changed(struct job *job);

#endif
