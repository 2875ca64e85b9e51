/* SPDX-License-Identifier: MIT
 *
 * The command rollback: attaches taken back, all that are asked for or none.
 */
#ifndef PAYLOAD_COMMAND_ROLLBACK_H
#define PAYLOAD_COMMAND_ROLLBACK_H

#include "payload/job/job.h"

/* Each is about the attaches after the one with the number `last`, in one interpreter. */

/* 1: there are such; 0; -1 with an exception. */
int rollback_has_work(struct job *job, Py_ssize_t last);

/* Plans, to know that they can be taken back. -1: they cannot; job->status or an exception says
 * why. */
int rollback_try(struct job *job, Py_ssize_t last);

/* -1: nothing has changed; job->status or an exception says why. */
int rollback_run(struct job *job, Py_ssize_t last);

#endif
