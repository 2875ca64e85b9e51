/* SPDX-License-Identifier: MIT
 *
 * The steps of a reload, in order. Nothing before the commit changes the program.
 */
#include "payload/command/attach.h"

#include "payload/base/sys.h"
#include "payload/commit/apply.h"
#include "payload/diff/select.h"
#include "payload/job/failure.h"
#include "payload/job/frames.h"
#include "payload/job/idle.h"
#include "payload/plan/preview.h"
#include "payload/shadow/main_thread.h"
#include "payload/shadow/shadow.h"
#include "payload/shadow/watchdog.h"
#include "payload/source/candidates.h"
#include "payload/source/importing.h"

static uint64_t lap(int64_t *since)
{
	int64_t before = *since;

	*since = sys_now_ns();
	return (uint64_t)(*since - before);
}

static int select_modules(struct job *job)
{
	int64_t since = sys_now_ns();

	job_phase(job, WIRE_PHASE_SELECT);
	int status = candidates_find(job);
	job->reply.header->select_ns += lap(&since);
	job_phase(job, WIRE_PHASE_COMPILE);
	if (!status)
		status = select_changed(job);
	job->reply.header->compile_ns += lap(&since);
	return status;
}

/* Not while one of them is being imported, as long as that ends soon. */
static int select_imported(struct job *job)
{
	const struct reply_mark records = reply_mark(&job->reply);
	const uint32_t looked = job->reply.header->modules_looked;
	const int64_t limit_ns = importing_limit(job);

	for (;;) {
		if (select_modules(job))
			return -1;
		if (!importing_any(job) || !job_may_wait(job) || sys_now_ns() >= limit_ns)
			return 0;
		modules_fini(&job->modules);
		reply_cut(&job->reply, records);
		job->reply.header->modules_looked = looked;
		if (idle_pause(job)) {
			job->status = WIRE_STATUS_CANCELLED;
			return -1;
		}
	}
}

struct new_code {
	struct shadow *shadow;
	struct job *job;
	int has_struck; /* it was told to end */
};

static int run_watched(void *argument)
{
	struct new_code *new_code = argument;
	struct job *job = new_code->job;
	PyObject *exception = PyDict_GetItemString(job->world.builtins, "KeyboardInterrupt");
	struct watchdog watchdog;

	job_phase(job, WIRE_PHASE_SHADOW);
	watchdog_begin(&watchdog, job->channel, exception);
	int status = shadow_run(new_code->shadow, job);
	new_code->has_struck = watchdog_end(&watchdog);
	return status;
}

/* What new code raises is an error of the source, unless it was told to end. */
static int run_new_code(struct shadow *shadow, struct job *job)
{
	struct new_code new_code = {.shadow = shadow, .job = job};
	int status = job_request(job)->flags & WIRE_ON_MAIN_THREAD
			     ? main_thread_run(job, run_watched, &new_code)
			     : run_watched(&new_code);

	if (status && job->status != WIRE_STATUS_NONE)
		return status;
	if (new_code.has_struck)
		return job_refuse(job, WIRE_STATUS_CANCELLED, NULL, WIRE_TEXT_STILL_RUNNING,
				  NULL);
	return status ? failure_refuse(job, WIRE_STATUS_SOURCE_ERROR, NULL) : 0;
}

static int has_run(const struct job *job)
{
	for (size_t i = 0; i < job->modules.count; i++)
		if (job->modules.items[i].run_code)
			return 1;
	return 0;
}

static int prepare_new_code(struct job *job, struct attempt *attempt)
{
	int64_t since = sys_now_ns();
	int status = migration_init(&attempt->migration, job);

	job->world.made_garbage = 1;
	idle_let_run(job);
	if (!status)
		status = run_new_code(&attempt->shadow, job);
	job->reply.header->shadow_ns += lap(&since);
	return status;
}

int attach_prepare(struct job *job, struct attempt *attempt)
{
	*attempt = (struct attempt){0};
	if (select_imported(job))
		return -1;
	return has_run(job) ? prepare_new_code(job, attempt) : 0;
}

int attach_try(struct job *job, struct attempt *attempt)
{
	if (!job->modules.count)
		return 0;
	idle_let_run(job);
	return apply_try(job, &attempt->shadow, &attempt->migration);
}

int attach_apply(struct job *job, struct attempt *attempt)
{
	if (!job->modules.count)
		return 0;
	if (!job_is_committing(job)) /* in another interpreter */
		idle_let_run(job);
	return apply(job, &attempt->shadow, &attempt->migration);
}

void attach_finish(struct job *job, struct attempt *attempt, int status)
{
	shadow_fini(&attempt->shadow, &job->world, status);
	migration_fini(&attempt->migration);
}

int attach_plan(struct job *job)
{
	_cleanup_py_ PyObject *codes = PyDict_New();

	if (!codes || select_imported(job))
		return -1;
	job_phase(job, WIRE_PHASE_PLAN);
	for (size_t i = 0; i < job->modules.count; i++) {
		struct module *m = &job->modules.items[i];
		if (preview_module(job, m, codes))
			return -1;
	}
	frames_tell(job, codes);
	return 0;
}

int attach_sources(struct job *job)
{
	job_phase(job, WIRE_PHASE_SELECT);
	if (candidates_find(job))
		return -1;
	job->status = WIRE_STATUS_NOTHING_TO_DO;
	return 0;
}
