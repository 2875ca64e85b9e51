/* SPDX-License-Identifier: MIT
 *
 * The worker's way through the channel's states. The invariant: nothing in the program is
 * written unless RUNNING was swapped for COMMITTING, and the final state is published after
 * everything else, without the GIL.
 */
#include "payload/entry/serve.h"

#include "payload/base/channel.h"
#include "payload/base/py.h"
#include "payload/base/sys.h"
#include "payload/command/command.h"
#include "payload/job/job.h"
#include "payload/python/gil_window.h"
#include "payload/python/version.h"

static int is_finalizing(void)
{
	if (Py_IsFinalizing)
		return Py_IsFinalizing();
	return _Py_IsFinalizing ? _Py_IsFinalizing() : 0;
}

/* A payload of another version than the program's would misread what it was asked. */
static int is_understood(const struct job *job)
{
	const struct wire_request *request = job_request(job);

	return job->channel->magic == WIRE_MAGIC && job->channel->version == WIRE_VERSION &&
	       request->magic == WIRE_MAGIC && request->version == WIRE_VERSION &&
	       request->command && request->command < WIRE_COMMAND_COUNT;
}

/* Without the GIL. */
static enum wire_status refuse(struct job *job, enum wire_status status, enum wire_text wording)
{
	reply_add(&job->reply,
		  &(struct reply_item){.kind = WIRE_RECORD_ERROR, .wording = wording});
	return status;
}

/* What can be said without the GIL. 3.6 and older create the GIL with the first thread; taking
 * it from here before that would make this thread the owner of an interpreter in use. */
static enum wire_status judge(struct job *job)
{
	if (!is_understood(job))
		return refuse(job, WIRE_STATUS_INTERNAL, WIRE_TEXT_OTHER_VERSION);
	if (!Py_IsInitialized() || is_finalizing()) /* it was when we were called for */
		return WIRE_STATUS_FINALIZING;
	job->reply.header->python_version = version_hex();
	if (job->reply.header->python_version < 0x03070000 &&
	    !(PyEval_ThreadsInitialized && PyEval_ThreadsInitialized())) {
		return refuse(job, WIRE_STATUS_UNSUPPORTED, WIRE_TEXT_NO_GIL_YET);
	}
	return WIRE_STATUS_NONE;
}

static void run_job(void *job)
{
	command_run(job);
}

static void run(struct job *job)
{
	if (!gil_window_is_needed()) {
		command_run(job);
	} else if (gil_window_run(run_job, job)) {
		job->status = refuse(job, WIRE_STATUS_UNSUPPORTED, WIRE_TEXT_NO_GIL);
	}
}

/* -1: decided while we waited for the GIL, by the program outside, or by its holder, who serves
 * in our stead then. The reply is not ours to touch. */
static int serve_with_gil(struct job *job)
{
	struct wire_channel *channel = job->channel;

	job_phase(job, WIRE_PHASE_GIL);
	int64_t before = sys_now_ns();
	int gil = PyGILState_Ensure();
	int is_ours = __atomic_load_n(&channel->state, __ATOMIC_SEQ_CST) == WIRE_PENDING;
	if (is_ours) {
		job->reply.header->gil_wait_ns = (uint64_t)(sys_now_ns() - before);
		if (job_is_dropped(job) ||
		    channel_swap_state(channel, WIRE_PENDING, WIRE_RUNNING))
			job->status = WIRE_STATUS_CANCELLED;
		else
			run(job);
		job_phase(job, WIRE_PHASE_LEAVING);
	}
	PyGILState_Release(gil);
	return is_ours ? 0 : -1;
}

/* From whatever state the worker left it in; fails when the program outside cancelled, which is
 * then the final state. */
static void publish(struct job *job)
{
	struct wire_channel *channel = job->channel;
	uint32_t state = __atomic_load_n(&channel->state, __ATOMIC_SEQ_CST);
	int is_done = job->status == WIRE_STATUS_APPLIED ||
		      job->status == WIRE_STATUS_NOTHING_TO_DO ||
		      job->status == WIRE_STATUS_BROKEN;

	job->reply.header->status = job->status;
	while (state == WIRE_PENDING || state == WIRE_RUNNING || state == WIRE_COMMITTING) {
		if (!channel_swap_state(channel, state, is_done ? WIRE_DONE : WIRE_FAILED))
			return;
		state = __atomic_load_n(&channel->state, __ATOMIC_SEQ_CST);
	}
}

void payload_serve(struct wire_channel *channel)
{
	struct job job = {.channel = channel, .status = WIRE_STATUS_NONE};
	int64_t start = sys_now_ns();

	if (__atomic_load_n(&channel->state, __ATOMIC_SEQ_CST) != WIRE_PENDING)
		return;
	reply_init(&job.reply, channel);
	job.status = job_is_dropped(&job) ? WIRE_STATUS_CANCELLED : judge(&job);
	if (job.status == WIRE_STATUS_NONE && serve_with_gil(&job))
		return;
	job.reply.header->total_ns = (uint64_t)(sys_now_ns() - start);
	publish(&job);
}
