/* SPDX-License-Identifier: MIT
 *
 * From a shadow run to a changed program, or to one that is exactly as it was.
 */
#ifndef PAYLOAD_COMMIT_APPLY_H
#define PAYLOAD_COMMIT_APPLY_H

#include "payload/job/frames.h"
#include "payload/plan/plan.h"

/* Notes the classes of the changed modules that exist: before the shadow run. */
int migration_init(struct migration *out, struct job *job);
void migration_fini(struct migration *migration);

/* Makes a plan and throws it away. -1: it cannot be made. */
int apply_try(struct job *job, const struct shadow *shadow, struct migration *migration);

/* Plans and commits. -1: nothing has changed (job->status or an exception says why), or
 * job->status is BROKEN. */
int apply(struct job *job, const struct shadow *shadow, struct migration *migration);

/* The writes of a plan, in one stretch; the first time (*is_begun) the channel is asked. 0; -1:
 * cancelled, or broken; 1: a write failed (plan->writes.failed), with an exception, and all are
 * undone. */
int apply_commit(struct plan *plan, int *is_begun);

/* It is changed, and cannot be taken back. Takes the exception; -1 */
int apply_refuse_broken(struct job *job);

/* After the last write: what may run the program's code again. */
void apply_aftermath(struct plan *plan, const struct frame_types *types);

/* What fails after the commit is bookkeeping; it cannot make it undone. Takes the exception. */
void apply_warn(struct job *job);

#endif
