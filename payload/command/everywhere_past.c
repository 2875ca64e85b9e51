/* SPDX-License-Identifier: MIT
 *
 * The commands about what was applied. Each interpreter has the records of its own changes, and
 * the number of the attach that they belong to. The invariant: an attach is told of, and taken
 * back, in all interpreters together.
 */
#include "payload/command/everywhere.h"
#include "payload/command/rollback.h"
#include "payload/command/status.h"
#include "payload/command/together.h"
#include "payload/command/visits.h"
#include "payload/record/history.h"
#include "payload/record/replay.h"

/* The attaches that are recorded in any of the interpreters. */
struct past {
	Py_ssize_t newest, oldest; /* 0: none */
	Py_ssize_t dropped;        /* those up to this number may be recorded no more */
};

static int note_past(struct visit *visit, void *context)
{
	struct past *past = context;
	struct history history;
	Py_ssize_t newest, oldest;

	if (history_get(&history, visit->job))
		return -1;
	if (history.count == history.dropped)
		return 0;
	newest = history_number(visit->job, &history, history.count);
	oldest = history_number(visit->job, &history, history.dropped + 1);
	if (newest < 0 || oldest < 0)
		return -1;
	if (newest > past->newest)
		past->newest = newest;
	if (!past->oldest || oldest < past->oldest)
		past->oldest = oldest;
	if (history.dropped && oldest - 1 > past->dropped)
		past->dropped = oldest - 1;
	return 0;
}

/* --- telling ----------------------------------------------------------------------------- */

struct telling {
	Py_ssize_t number;
	int is_undone;
	int is_begun; /* the attach itself was told of */
};

static int tell_one(struct visit *visit, void *context)
{
	struct telling *telling = context;
	struct history history;
	Py_ssize_t at;

	if (history_get(&history, visit->job))
		return -1;
	at = history_position(visit->job, &history, telling->number);
	if (at <= history.dropped ||
	    history_number(visit->job, &history, at) != telling->number)
		return at < 0 ? -1 : 0;
	PyObject *entry = history_entry(&visit->job->world, &history, at);
	if (!entry)
		return -1;
	if (!telling->is_begun)
		replay_attach(visit->job, entry, telling->number, telling->is_undone);
	telling->is_begun = 1;
	return replay_changes(visit->job, entry, telling->is_undone);
}

/* Those after `last`, the newest first. */
static int tell(struct visits *all, const struct past *past, Py_ssize_t last, int is_undone)
{
	int status = 0;

	for (Py_ssize_t i = past->newest; i > last && !status; i--) {
		struct telling telling = {.number = i, .is_undone = is_undone};
		status = visits_go(all, tell_one, &telling);
	}
	return status;
}

/* --- rollback ---------------------------------------------------------------------------- */

/* The number of the attach that is to be the last one afterwards. */
static Py_ssize_t wanted(const struct job *job, Py_ssize_t newest)
{
	const struct wire_request *request = job_request(job);

	return request->flags & WIRE_TO && !job->is_revoking ? (Py_ssize_t)request->argument
							     : newest - 1;
}

static int choose(Py_ssize_t *out, struct job *job, const struct past *past)
{
	*out = wanted(job, past->newest);
	if (*out > past->newest) {
		_cleanup_py_ PyObject *numbers =
			PyUnicode_FromFormat("%zd" WIRE_NEXT "%zd", *out, past->newest);
		return job_refuse(job, WIRE_STATUS_REFUSED, NULL, WIRE_TEXT_NO_ATTACH, numbers);
	}
	if (past->newest && *out < past->dropped) {
		_cleanup_py_ PyObject *number = PyUnicode_FromFormat("%zd", past->dropped);
		return job_refuse(job, WIRE_STATUS_REFUSED, NULL, WIRE_TEXT_DROPPED, number);
	}
	return 0;
}

static int prepare(struct visit *visit, void *unused)
{
	(void)unused;
	struct job *job = visit->job;
	int status = rollback_has_work(job, visit->all->argument);

	visit->has_work = status > 0;
	if (status > 0 && visit->has_own_gil)
		return visit_refuse_own_gil(visit);
	if (status > 0 && (visit->all->count > 1 || together_is_asked(job)))
		return rollback_try(job, visit->all->argument);
	return status < 0 ? -1 : 0;
}

static int commit(struct visit *visit)
{
	visit->job->attach_number = visit->all->newest + 1;
	return rollback_run(visit->job, visit->all->argument);
}

/* What is told is gone afterwards, so it is told before. */
static int take_back(struct visits *all, const struct past *past)
{
	struct job *job = all->items[0].job;
	struct reply_mark records = reply_mark(&job->reply);
	int status = tell(all, past, all->argument, 1);

	if (!status)
		status = visits_commit(all);
	for (size_t i = 0; i < all->count; i++)
		if (all->items[i].job->status == WIRE_STATUS_CANCELLED)
			reply_cut(&job->reply, records);
	return status;
}

static int rollback(struct visits *all)
{
	struct job *job = all->items[0].job;
	struct past past = {0};
	int status = visits_go(all, note_past, &past);

	if (!status)
		status = choose(&all->argument, job, &past);
	if (!status && past.newest)
		status = visits_go(all, prepare, NULL);
	all->newest = past.newest;
	if (!status && visits_have_work(all))
		status = together_wait(job);
	return status || !visits_have_work(all) ? status : take_back(all, &past);
}

int everywhere_rollback(struct job *job)
{
	struct visits all;
	int status = visits_init(&all, job);

	all.commit = commit;
	if (!status)
		status = rollback(&all);
	return visits_end(&all, status);
}

/* The last record is the rollback's own. */
static int keep(struct visit *visit, void *context)
{
	const struct past *past = context;
	struct job *job = visit->job;
	struct history history;

	if (history_get(&history, job))
		return -1;
	Py_ssize_t to = history_position(job, &history, wanted(job, past->newest - 1));
	return to < 0 ? -1 : history_cut(job, &history, to);
}

int everywhere_keep(struct job *job)
{
	struct visits all;
	struct past past = {0};

	if (job_request(job)->command != WIRE_COMMAND_ROLLBACK)
		return 0;
	int status = visits_init(&all, job);
	if (!status)
		status = visits_go(&all, note_past, &past);
	if (!status)
		status = visits_go(&all, keep, &past);
	visits_fini(&all, status);
	return status;
}

/* --- status and forget ------------------------------------------------------------------- */

static int tell_frames(struct visit *visit, void *unused)
{
	(void)unused;
	return status_frames(visit->job);
}

int everywhere_status(struct job *job)
{
	struct visits all;
	struct past past = {0};
	int status = visits_init(&all, job);

	if (!status)
		status = visits_go(&all, note_past, &past);
	if (!status)
		status = tell(&all, &past, past.oldest ? past.oldest - 1 : 0, 0);
	if (!status)
		status = visits_go(&all, tell_frames, NULL);
	if (all.count)
		all.items[0].has_work = past.newest > 0;
	return visits_end(&all, status);
}

static int forget(struct visit *visit, void *unused)
{
	(void)unused;
	int removed = status_forget(visit->job);

	visit->has_work = removed > 0;
	return removed < 0 ? -1 : 0;
}

int everywhere_forget(struct job *job)
{
	struct visits all;
	int status = visits_init(&all, job);

	if (!status)
		status = job_begin_commit(job);
	if (!status)
		status = visits_go(&all, forget, NULL);
	return visits_end(&all, status);
}
