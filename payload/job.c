/* SPDX-License-Identifier: MIT
 *
 * The steps of a reload, in order. Nothing before the commit changes the program.
 */
#include "payload/job.h"

#include "payload/apply.h"
#include "payload/failure.h"
#include "payload/freestanding.h"
#include "payload/select.h"
#include "payload/shadow.h"
#include "payload/sys.h"

void job_note(struct job *job, const struct reply_item *item, const struct module *module)
{
	struct reply_item complete = *item;

	if (module)
		complete.module = PyUnicode_AsUTF8(module->name);
	PyErr_Clear();
	reply_add(&job->reply, &complete);
}

/* The first refusal throws away what was planned; further ones join it. */
int job_refuse(struct job *job, enum wire_status status, const struct module *module,
	       PyObject *reason)
{
	PyErr_Clear();
	if (job->status == WIRE_STATUS_NONE)
		reply_clear(&job->reply);
	job->status = status;
	job_note(job,
		 &(struct reply_item){.kind = WIRE_RECORD_ERROR,
				      .action = WIRE_ACTION_REFUSED,
				      .text = reason ? PyUnicode_AsUTF8(reason) : "no memory"},
		 module);
	return -1;
}

/* 3.8: an audit hook may veto, by raising. */
static int announce(struct job *job)
{
	PyObject *audit = PySys_GetObject("audit");
	_cleanup_py_ PyObject *event = PyUnicode_FromString("pyhotpatch.attach");
	_cleanup_py_ PyObject *result = audit && event ? py_call(audit, event) : NULL;

	if (result || !audit)
		return 0;
	_cleanup_py_ PyObject *reason = failure_text(&job->world);
	return job_refuse(job, WIRE_STATUS_REFUSED, NULL, reason);
}

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
	int status = select_candidates(job);
	job->reply.header->select_ns = lap(&since);
	job_phase(job, WIRE_PHASE_COMPILE);
	if (!status)
		status = select_changed(job);
	job->reply.header->compile_ns = lap(&since);
	return status;
}

/* What new code raises is an error of the source; an exception from anywhere else is ours. */
static int run_and_apply(struct job *job)
{
	struct migration migration;
	struct shadow shadow = {0};
	int64_t since = sys_now_ns();
	int status = migration_init(&migration, job);

	job_phase(job, WIRE_PHASE_SHADOW);
	job->world.made_garbage = 1;
	if (!status && (status = shadow_run(&shadow, job)) != 0) {
		_cleanup_py_ PyObject *text = failure_text(&job->world);
		job_refuse(job, WIRE_STATUS_SOURCE_ERROR, NULL, text);
	}
	job->reply.header->shadow_ns = lap(&since);
	if (!status)
		status = apply(job, &shadow, &migration);
	shadow_fini(&shadow, &job->world, status);
	migration_fini(&migration);
	return status;
}

static int run(struct job *job)
{
	const struct wire_request *request =
		(const void *)((const char *)job->channel + job->channel->request_offset);

	job->is_dry_run = (request->flags & WIRE_DRY_RUN) != 0;
	job->is_rerun = (request->flags & WIRE_RERUN) != 0;
	if (announce(job) || select_modules(job))
		return -1;
	if (!job->modules.count) {
		job->status = WIRE_STATUS_NOTHING_TO_DO;
		return 0;
	}
	if (job->is_dry_run) {
		for (size_t i = 0; i < job->modules.count; i++) {
			const struct module *m = &job->modules.items[i];
			job_note(job,
				 &(struct reply_item){.kind = WIRE_RECORD_MODULE,
						      .action = WIRE_ACTION_CHANGED,
						      .text = PyUnicode_AsUTF8(m->file)},
				 m);
		}
		job->status = WIRE_STATUS_APPLIED;
		return 0;
	}
	if (run_and_apply(job))
		return -1;
	job->status = WIRE_STATUS_APPLIED;
	return 0;
}

void job_run(struct job *job)
{
	int status = world_enter(&job->world);

	if (!status)
		status = run(job);
	if (status && job->status == WIRE_STATUS_NONE) {
		_cleanup_py_ PyObject *text = failure_text(&job->world);
		job_refuse(job, WIRE_STATUS_INTERNAL, NULL, text);
	}
	modules_fini(&job->modules);
	world_leave(&job->world);
	PyErr_Clear();
}
