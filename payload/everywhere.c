/* SPDX-License-Identifier: MIT
 *
 * A visit is what the attach does in one interpreter. The steps go through all visits, one
 * after the other; in between nothing of ours is in an interpreter but objects. The invariant:
 * what was made in an interpreter is let go in it, and never when it has ended meanwhile: its
 * objects have ended with it.
 *
 * An interpreter with a GIL of its own cannot be changed in one step with the others: while it
 * is, their threads run.
 */
#include "payload/everywhere.h"

#include "payload/attach.h"
#include "payload/failure.h"
#include "payload/freestanding.h"
#include "payload/history.h"
#include "payload/interpreters.h"
#include "payload/rollback.h"
#include "payload/select.h"
#include "payload/together.h"

struct visit {
	struct interpreter where; /* no state: the interpreter that we came from */
	struct job *job, own;     /* `own` but for that one */
	struct attempt attempt;
	unsigned is_prepared : 1, has_own_gil : 1, hides_frames : 1;
};

struct visits {
	struct visit *items;
	size_t count;
};

static int is_home(const struct visit *visit)
{
	return !visit->where.state;
}

/* 1 when the interpreter has ended. */
static int enter(struct visit *visit)
{
	return is_home(visit) ? 0 : interpreter_enter(&visit->where);
}

static void leave(struct visit *visit)
{
	if (!is_home(visit))
		interpreter_leave(&visit->where);
}

/* --- each step, inside ------------------------------------------------------------------- */

/* What goes wrong without a refusal of its own is a bug, and refuses. */
static int settle_failure(struct job *job, int status)
{
	if (!status || job->status != WIRE_STATUS_NONE)
		return status;
	_cleanup_py_ PyObject *text = failure_text(&job->world);
	return job_refuse(job, WIRE_STATUS_INTERNAL, NULL, text);
}

static int refuse_own_gil(struct visit *visit)
{
	_cleanup_py_ PyObject *reason = PyUnicode_FromFormat(
		"interpreter %lld has a GIL of its own: its modules cannot be changed in one "
		"step with the others",
		(long long)visit->where.id);

	return job_refuse(visit->job, WIRE_STATUS_REFUSED, NULL, reason);
}

static int begin(struct visit *visit)
{
	struct world *world = &visit->job->world;
	int status = is_home(visit) ? 0 : world_enter(world);

	visit->is_prepared = 1;
	world->hides_frames = visit->hides_frames;
	return status || is_home(visit) ? status : job_announce(visit->job);
}

static int prepare(struct visit *visit, int is_alone)
{
	struct job *job = visit->job;
	int status = begin(visit);

	if (!status)
		status = attach_prepare(job, &visit->attempt);
	if (!status && visit->has_own_gil && job->modules.count)
		return refuse_own_gil(visit);
	if (!status && !is_alone)
		status = attach_try(job, &visit->attempt);
	return settle_failure(job, status);
}

static void finish(struct visit *visit, int status)
{
	attach_finish(visit->job, &visit->attempt, status);
	if (!is_home(visit))
		job_leave(visit->job);
}

/* --- through all of them ----------------------------------------------------------------- */

static int prepare_all(struct visits *all)
{
	int status = 0;

	for (size_t i = 0; i < all->count && !status; i++) {
		struct visit *visit = &all->items[i];
		if (enter(visit))
			continue;
		status = prepare(visit, all->count == 1 && !together_is_asked(visit->job));
		leave(visit);
	}
	return status;
}

static int has_work(const struct visits *all)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->items[i].is_prepared && all->items[i].job->modules.count)
			return 1;
	return 0;
}

static void finish_all(struct visits *all, int status)
{
	for (size_t i = 0; i < all->count; i++) {
		struct visit *visit = &all->items[i];
		if (!visit->is_prepared || enter(visit))
			continue;
		finish(visit, status);
		leave(visit);
	}
}

/* The commits are nested: each is taken back when one after it fails. */
static int commit_from(struct visits *all, size_t from);

static int commit_next(void *context)
{
	struct visit *visit = context;
	struct visits *all = visit->attempt.context;

	return commit_from(all, (size_t)(visit - all->items) + 1);
}

static int commit_from(struct visits *all, size_t from)
{
	while (from < all->count &&
	       (!all->items[from].is_prepared || !all->items[from].job->modules.count))
		from++;
	if (from == all->count)
		return 0;
	struct visit *visit = &all->items[from];
	if (enter(visit))
		return commit_from(all, from + 1);
	visit->attempt.context = all;
	visit->job->commit_others = commit_next;
	visit->job->commit_context = visit;
	int status = settle_failure(visit->job, attach_apply(visit->job, &visit->attempt));
	leave(visit);
	return status;
}

/* The answer is one: the first that says no, else whether anything changed anywhere. */
static void conclude(const struct visits *all, int status)
{
	struct job *job = all->items[0].job;

	for (size_t i = 1; i < all->count; i++)
		if (job->status == WIRE_STATUS_NONE ||
		    all->items[i].job->status == WIRE_STATUS_BROKEN)
			job->status = all->items[i].job->status;
	if (status)
		return;
	job->status = has_work(all) ? WIRE_STATUS_APPLIED : WIRE_STATUS_NOTHING_TO_DO;
}

/* --- the visits -------------------------------------------------------------------------- */

/* While a thread of another GIL runs, its frames must not be looked at: sys._current_frames()
 * goes through the threads of all interpreters (3.7 to 3.13, Python/pystate.c). */
static int note_gils(struct visits *all)
{
	int is_possible = all->items[0].job->reply.header->python_version >= 0x030c0000;
	int any = 0;

	for (size_t i = 1; i < all->count && is_possible; i++) {
		struct visit *visit = &all->items[i];
		int own = interpreter_has_own_gil(&visit->where);
		if (own < 0)
			return -1;
		visit->has_own_gil = own != 0;
		any |= own;
	}
	for (size_t i = 0; i < all->count; i++)
		all->items[i].hides_frames = any != 0;
	return 0;
}

static int visits_init(struct visits *out, struct job *job)
{
	struct interpreters others;

	*out = (struct visits){0};
	if (interpreters_find(&others))
		return -1;
	out->items = PyMem_Malloc((others.count + 1) * sizeof(*out->items));
	if (!out->items) {
		interpreters_fini(&others);
		PyErr_NoMemory();
		return -1;
	}
	memset(out->items, 0, (others.count + 1) * sizeof(*out->items));
	out->count = others.count + 1;
	out->items[0].job = job;
	for (size_t i = 1; i < out->count; i++) {
		struct visit *visit = &out->items[i];
		visit->where = others.items[i - 1];
		visit->own = (struct job){
			.channel = job->channel,
			.reply = job->reply,
			.is_rerun = job->is_rerun,
			.is_dry_run = job->is_dry_run,
			.interpreter = visit->where.id,
		};
		visit->job = &visit->own;
	}
	interpreters_fini(&others);
	return note_gils(out);
}

static void visits_fini(struct visits *all)
{
	PyMem_Free(all->items);
	*all = (struct visits){0};
}

int everywhere_attach(struct job *job)
{
	struct visits all;
	int status = visits_init(&all, job);

	if (!status)
		status = prepare_all(&all);
	if (!status && has_work(&all))
		status = together_wait(job);
	if (!status)
		status = commit_from(&all, 0);
	if (all.count)
		conclude(&all, status);
	job->commit_others = NULL;
	finish_all(&all, status);
	visits_fini(&all);
	return status;
}

static int plan_one(struct visit *visit)
{
	struct job *job = visit->job;
	int status = begin(visit);

	if (!status)
		status = attach_plan(job);
	return settle_failure(job, status);
}

int everywhere_plan(struct job *job)
{
	struct visits all;
	int status;

	job->is_dry_run = 1;
	status = visits_init(&all, job);
	for (size_t i = 0; i < all.count && !status; i++) {
		if (enter(&all.items[i]))
			continue;
		status = plan_one(&all.items[i]);
		leave(&all.items[i]);
	}
	if (all.count)
		conclude(&all, status);
	finish_all(&all, status);
	visits_fini(&all);
	return status;
}

static int has_history(struct visit *visit)
{
	struct history history;

	if (begin(visit) || history_get(&history, visit->job))
		return -1;
	return history.count > history.dropped;
}

/* The records of the interpreters do not know of each other: which of them belong to one attach
 * cannot be told, and half of it is not to be taken back. */
static int refuse_rollback(struct visit *visit)
{
	_cleanup_py_ PyObject *reason = PyUnicode_FromFormat(
		"interpreter %lld was changed, too: only what was applied to the main one alone "
		"can be taken back; attach with the old sources instead",
		(long long)visit->where.id);

	return job_refuse(visit->job, WIRE_STATUS_REFUSED, NULL, reason);
}

static int prepare_rollback(struct job *job)
{
	int status = rollback_try(job);

	modules_fini(&job->modules);
	return status == 1 ? together_wait(job) : status;
}

int everywhere_rollback(struct job *job)
{
	struct visits all;
	int status = visits_init(&all, job);

	for (size_t i = 1; i < all.count && !status; i++) {
		struct visit *visit = &all.items[i];
		if (enter(visit))
			continue;
		status = has_history(visit);
		if (status > 0)
			status = refuse_rollback(visit);
		status = settle_failure(visit->job, status);
		leave(visit);
		if (status)
			job->status = visit->job->status;
	}
	finish_all(&all, status);
	visits_fini(&all);
	if (!status && job_request(job)->command == WIRE_COMMAND_ROLLBACK &&
	    together_is_asked(job))
		status = prepare_rollback(job);
	return status ? -1 : rollback_run(job);
}
