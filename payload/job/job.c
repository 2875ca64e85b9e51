/* SPDX-License-Identifier: MIT */
#include "payload/job/job.h"

#include "payload/base/channel.h"
#include "payload/base/sys.h"

#define CANCEL_NS 1000000000ll

const struct wire_request *job_request(const struct job *job)
{
	return (const void *)((const char *)job->channel + job->channel->request_offset);
}

void job_note(struct job *job, const struct reply_item *item, const struct module *module)
{
	struct reply_item complete = *item;
	_cleanup_py_ PyObject *label =
		module && job->interpreter
			? PyUnicode_FromFormat("%U (interpreter %lld)", module->name,
					       (long long)job->interpreter)
			: NULL;

	if (job->is_told)
		return;
	if (module)
		complete.module = py_text(label ? label : module->name);
	PyErr_Clear();
	reply_add(&job->reply, &complete);
}

void job_warn(struct job *job, const struct module *module, PyObject *name,
	      enum wire_text wording, PyObject *arguments)
{
	job_note(job,
		 &(struct reply_item){.kind = WIRE_RECORD_WARNING,
				      .wording = wording,
				      .name = py_text(name),
				      .text = py_text(arguments)},
		 module);
}

/* The first refusal throws away what was planned; further ones join it. */
int job_refuse(struct job *job, enum wire_status status, const struct module *module,
	       enum wire_text wording, PyObject *arguments)
{
	PyErr_Clear();
	if (job->status == WIRE_STATUS_NONE)
		reply_clear(&job->reply);
	job->status = status;
	job_note(job,
		 &(struct reply_item){.kind = WIRE_RECORD_ERROR,
				      .action = WIRE_ACTION_REFUSED,
				      .wording = wording,
				      .text = py_text(arguments)},
		 module);
	return -1;
}

int job_is_dropped(const struct job *job)
{
	const struct wire_channel *channel = job->channel;

	return sys_now_ns() >= channel->deadline_ns || !channel_owner_lives(channel);
}

int job_is_wanted(const struct job *job)
{
	const struct wire_channel *channel = job->channel;

	/* Who lives cancels at the deadline; who cannot be asked has until a little later. */
	return __atomic_load_n(&channel->state, __ATOMIC_SEQ_CST) == WIRE_RUNNING &&
	       channel_owner_lives(channel) && sys_now_ns() < channel->deadline_ns + CANCEL_NS;
}

int job_may_wait(const struct job *job)
{
	int32_t worker = job->channel->worker_tid;

	return !worker || worker == sys_gettid();
}

int job_is_committing(const struct job *job)
{
	return __atomic_load_n(&job->channel->state, __ATOMIC_SEQ_CST) == WIRE_COMMITTING;
}

int job_begin_commit(struct job *job)
{
	if (job_is_committing(job))
		return 0;
	if (job_is_dropped(job) ||
	    channel_swap_state(job->channel, WIRE_RUNNING, WIRE_COMMITTING)) {
		job->status = WIRE_STATUS_CANCELLED;
		return -1;
	}
	return 0;
}

void job_phase(struct job *job, enum wire_phase phase)
{
	__atomic_store_n(&job->channel->phase, phase, __ATOMIC_SEQ_CST);
}
