/* SPDX-License-Identifier: MIT
 *
 * The commands that look at sources. The invariant: nothing is written in any interpreter
 * before all of them are prepared.
 */
#include "payload/command/everywhere.h"

#include "payload/command/together.h"
#include "payload/command/visits.h"
#include "payload/record/history.h"

/* Attaches are counted through all interpreters. */
static int note_number(struct visit *visit, Py_ssize_t *newest)
{
	Py_ssize_t last = history_newest(visit->job);

	if (last > *newest)
		*newest = last;
	return last < 0 ? -1 : 0;
}

static int prepare(struct visit *visit, void *newest)
{
	struct job *job = visit->job;
	int is_alone = visit->all->count == 1 && !together_is_asked(job);

	if (note_number(visit, newest) || attach_prepare(job, &visit->attempt))
		return -1;
	visit->has_work = job->modules.count != 0;
	if (visit->has_own_gil && visit->has_work)
		return visit_refuse_own_gil(visit);
	return is_alone ? 0 : attach_try(job, &visit->attempt);
}

static int commit(struct visit *visit)
{
	visit->job->attach_number = visit->all->argument;
	return attach_apply(visit->job, &visit->attempt);
}

int everywhere_attach(struct job *job)
{
	struct visits all;
	Py_ssize_t newest = 0;
	int status = visits_init(&all, job);

	if (!status)
		status = visits_go(&all, prepare, &newest);
	if (!status && visits_have_work(&all))
		status = together_wait(job);
	all.commit = commit;
	all.argument = newest + 1;
	if (!status)
		status = visits_commit(&all);
	return visits_end(&all, status);
}

static int plan(struct visit *visit, void *unused)
{
	(void)unused;
	int status = attach_plan(visit->job);

	visit->has_work = visit->job->modules.count != 0;
	return status;
}

int everywhere_plan(struct job *job)
{
	struct visits all;
	int status;

	job->is_dry_run = 1;
	status = visits_init(&all, job);
	if (!status)
		status = visits_go(&all, plan, NULL);
	return visits_end(&all, status);
}
