/* SPDX-License-Identifier: MIT
 *
 * One attach in all interpreters of the process.
 */
#ifndef PAYLOAD_EVERYWHERE_H
#define PAYLOAD_EVERYWHERE_H

#include "payload/job.h"

/* Does the attach for `job`, the one of the interpreter that we are in, and for all others:
 * prepared in all before it is committed in any, and taken back in all when it fails in one. */
int everywhere_attach(struct job *job);

/* Tells what attach would do, in each of them. */
int everywhere_plan(struct job *job);

/* Takes attaches back in the interpreter that we are in; refused when another was changed. */
int everywhere_rollback(struct job *job);

#endif
