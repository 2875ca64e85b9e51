/* SPDX-License-Identifier: MIT
 *
 * In between two steps nothing of ours is in an interpreter but objects. The invariant: what
 * was made in an interpreter is let go in it, and never when it has ended meanwhile: its
 * objects have ended with it.
 *
 * An interpreter with a GIL of its own cannot be changed in one step with the others: while it
 * is, their threads run.
 */
#include "payload/command/visits.h"

#include "payload/base/freestanding.h"
#include "payload/command/command.h"
#include "payload/job/failure.h"

static int is_home(const struct visit *visit)
{
	return !visit->where.state;
}

int visit_enter(struct visit *visit)
{
	return is_home(visit) ? 0 : interpreter_enter(&visit->where);
}

void visit_leave(struct visit *visit)
{
	if (!is_home(visit))
		interpreter_leave(&visit->where);
}

int visit_begin(struct visit *visit)
{
	struct world *world = &visit->job->world;
	int status = is_home(visit) ? 0 : command_enter(visit->job);

	visit->is_begun = 1;
	world->hides_frames = visit->hides_frames;
	return status;
}

int visit_settle(struct visit *visit, int status)
{
	struct job *job = visit->job;

	if (!status || job->status != WIRE_STATUS_NONE)
		return status;
	return failure_refuse(job, WIRE_STATUS_INTERNAL, NULL);
}

int visit_refuse_own_gil(struct visit *visit)
{
	_cleanup_py_ PyObject *number =
		PyUnicode_FromFormat("%lld", (long long)visit->where.id);

	return job_refuse(visit->job, WIRE_STATUS_REFUSED, NULL, WIRE_TEXT_OWN_GIL, number);
}

/* --- through all of them ----------------------------------------------------------------- */

int visits_go(struct visits *all, int (*step)(struct visit *visit, void *context),
	      void *context)
{
	int status = 0;

	for (size_t i = 0; i < all->count && !status; i++) {
		struct visit *visit = &all->items[i];
		if (visit_enter(visit))
			continue;
		status = visit->is_begun ? 0 : visit_begin(visit);
		if (!status)
			status = step(visit, context);
		status = visit_settle(visit, status);
		visit_leave(visit);
	}
	return status;
}

int visits_have_work(const struct visits *all)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->items[i].has_work)
			return 1;
	return 0;
}

static int commit_from(struct visits *all, size_t from);

static int commit_next(void *context)
{
	struct visit *visit = context;

	return commit_from(visit->all, (size_t)(visit - visit->all->items) + 1);
}

static int commit_from(struct visits *all, size_t from)
{
	while (from < all->count && !all->items[from].has_work)
		from++;
	if (from == all->count)
		return 0;
	struct visit *visit = &all->items[from];
	if (visit_enter(visit))
		return commit_from(all, from + 1);
	visit->job->commit_others = commit_next;
	visit->job->commit_context = visit;
	int status = visit_settle(visit, all->commit(visit));
	visit->job->commit_others = NULL;
	visit_leave(visit);
	return status;
}

int visits_commit(struct visits *all)
{
	return commit_from(all, 0);
}

/* --- from the first to the last ---------------------------------------------------------- */

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

int visits_init(struct visits *out, struct job *job)
{
	struct interpreters others;

	*out = (struct visits){0};
	if (interpreters_find(&others))
		return -1;
	out->items = py_room((others.count + 1) * sizeof(*out->items));
	if (!out->items) {
		interpreters_fini(&others);
		return -1;
	}
	out->count = others.count + 1;
	out->items[0].job = job;
	out->items[0].all = out;
	for (size_t i = 1; i < out->count; i++) {
		struct visit *visit = &out->items[i];
		visit->all = out;
		visit->where = others.items[i - 1];
		visit->own = (struct job){
			.channel = job->channel,
			.reply = job->reply,
			.is_rerun = job->is_rerun,
			.is_revoking = job->is_revoking,
			.is_dry_run = job->is_dry_run,
			.interpreter = visit->where.id,
		};
		visit->job = &visit->own;
	}
	interpreters_fini(&others);
	return note_gils(out);
}

static void finish(struct visit *visit, int status)
{
	attach_finish(visit->job, &visit->attempt, status);
	if (!is_home(visit))
		command_leave(visit->job);
}

void visits_fini(struct visits *all, int status)
{
	for (size_t i = 0; i < all->count; i++) {
		struct visit *visit = &all->items[i];
		if (!visit->is_begun || visit_enter(visit))
			continue;
		finish(visit, status);
		visit_leave(visit);
	}
	PyMem_Free(all->items);
	*all = (struct visits){0};
}

/* Makes one answer of theirs: the first that says no, else whether there was work anywhere. */
static void conclude(const struct visits *all, int status)
{
	struct job *job = all->items[0].job;

	for (size_t i = 1; i < all->count; i++)
		if (job->status == WIRE_STATUS_NONE ||
		    all->items[i].job->status == WIRE_STATUS_BROKEN)
			job->status = all->items[i].job->status;
	if (status)
		return;
	job->status = visits_have_work(all) ? WIRE_STATUS_APPLIED : WIRE_STATUS_NOTHING_TO_DO;
}

int visits_end(struct visits *all, int status)
{
	if (all->count)
		conclude(all, status);
	visits_fini(all, status);
	return status;
}
