/* SPDX-License-Identifier: MIT
 *
 * One command as the payload sees it, from the request to the reply.
 */
#ifndef PAYLOAD_JOB_JOB_H
#define PAYLOAD_JOB_JOB_H

#include "payload/job/module.h"
#include "payload/job/reply.h"
#include "payload/python/world.h"
#include "payload/wire.h"

struct job {
	struct world world;           /* asked for in most places, so the first */
	struct wire_channel *channel; /* borrowed */
	struct reply reply;
	enum wire_status status; /* NONE until decided */
	int is_dry_run;          /* nothing runs and nothing is remembered */
	int is_rerun;            /* whole bodies run, not what changed alone */
	int is_selecting;        /* the program may run in between */
	struct modules modules;
	PyObject *home; /* the dict of the module that stays in the target; NULL until needed */
	int64_t interpreter;      /* 0: the main one */
	int64_t start_ns;         /* when the program began, CLOCK_REALTIME */
	Py_ssize_t attach_number; /* through all interpreters; once it is about to commit */
	PyObject *quiet; /* owned, while selecting: what source_loud() needs, or NULL */
	int is_told; /* what is noted of a module was noted before: it is chosen from once more
		      */
	PyObject *remade; /* owned, while selecting: list of live classes that are made again as
			     a whole */
	int is_revoking;  /* what this very command did is taken back */
	/* Called after the commit, to do it in the other interpreters; when that fails, ours is
	 * taken back. */
	int (*commit_others)(void *context);
	void *commit_context;
};

/* What is asked for; borrowed. */
const struct wire_request *job_request(const struct job *job);

void job_phase(struct job *job, enum wire_phase phase);

/* Nobody waits for the answer any more: to apply it now would be behind everybody's back. */
int job_is_dropped(const struct job *job);

/* Whether somebody still waits for the answer. */
int job_is_wanted(const struct job *job);

/* Whether this thread is ours to wait with: one that was borrowed because it keeps the GIL is
 * not. */
int job_may_wait(const struct job *job);

/* The attach has committed in another interpreter. */
int job_is_committing(const struct job *job);

/* Swaps RUNNING for COMMITTING. -1: cancelled or too late; nothing may be written. */
int job_begin_commit(struct job *job);

/* A record about `module` (may be NULL). Text and name are UTF-8. */
void job_note(struct job *job, const struct reply_item *item, const struct module *module);

/* What is said to people: the number of a text, and what is put into it (wire_texts.h), a str
 * or NULL. */

/* A warning; `name` may be NULL. */
void job_warn(struct job *job, const struct module *module, PyObject *name,
	      enum wire_text wording, PyObject *arguments);

/* Ends the job as `status` for a reason; returns -1. The pending exception, if any, is dropped.
 */
int job_refuse(struct job *job, enum wire_status status, const struct module *module,
	       enum wire_text wording, PyObject *arguments);

#endif
