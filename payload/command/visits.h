/* SPDX-License-Identifier: MIT
 *
 * A visit is what a command does in one interpreter of the process. The steps go through all
 * visits, one after the other.
 */
#ifndef PAYLOAD_COMMAND_VISITS_H
#define PAYLOAD_COMMAND_VISITS_H

#include "payload/command/attach.h"
#include "payload/python/interpreters.h"

struct visit {
	struct visits *all;       /* borrowed: those that it is one of */
	struct interpreter where; /* no state: the interpreter that we came from */
	struct job *job;          /* `own` but for that one */
	unsigned is_begun : 1, has_work : 1, has_own_gil : 1, hides_frames : 1;
	struct attempt attempt;
	struct job own;
};

struct visits {
	struct visit *items; /* the first is the interpreter that we came from */
	size_t count;
	int (*commit)(struct visit *visit); /* in each that has work, by visits_commit() */
	Py_ssize_t argument, newest;        /* what they are, `commit` knows */
};

/* -1 with an exception. The visits are not to be moved. visits_fini is due either way; `status`
 * is how it went, for what new code left. */
int visits_init(struct visits *out, struct job *job);
void visits_fini(struct visits *all, int status);

/* Makes one answer of theirs, and visits_fini. Returns `status`. */
int visits_end(struct visits *all, int status);

/* 1 when the interpreter has ended. */
int visit_enter(struct visit *visit);
void visit_leave(struct visit *visit);

/* The first thing in there. */
int visit_begin(struct visit *visit);

/* What went wrong without a refusal of its own is a bug, and refuses. Returns `status`. */
int visit_settle(struct visit *visit, int status);

/* Says that it has a GIL of its own. -1 */
int visit_refuse_own_gil(struct visit *visit);

int visits_have_work(const struct visits *all);

/* `commit` in all that have work: each is taken back when one after it fails. */
int visits_commit(struct visits *all);

/* Calls `step` in all of them, in turn; ends when one says no, which is returned. */
int visits_go(struct visits *all, int (*step)(struct visit *visit, void *context),
	      void *context);

#endif
