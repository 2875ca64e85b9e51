/* SPDX-License-Identifier: MIT
 *
 * Each command in all interpreters of the process: from `job`, the one of the interpreter that
 * we are in. Each sets job->status.
 */
#ifndef PAYLOAD_COMMAND_EVERYWHERE_H
#define PAYLOAD_COMMAND_EVERYWHERE_H

#include "payload/job/job.h"

/* Prepared in all before it is committed in any, and taken back in all when it fails in one. */
int everywhere_attach(struct job *job);

/* Tells what attach would do. */
int everywhere_plan(struct job *job);

/* Takes attaches back, in all or in none. */
int everywhere_rollback(struct job *job);

/* After a rollback that is one of several processes': it stays, and its own record goes. */
int everywhere_keep(struct job *job);

/* Tells what was applied. */
int everywhere_status(struct job *job);

/* Removes what attaches left. */
int everywhere_forget(struct job *job);

#endif
