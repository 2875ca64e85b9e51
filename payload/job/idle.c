/* SPDX-License-Identifier: MIT
 *
 * The invariant: whoever waits here does not hold the GIL.
 */
#include "payload/job/idle.h"

#include "payload/base/sys.h"
#include "payload/python/gil_window.h"
#include "payload/python/let_run.h"

#define PAUSE_NS  5000000ll
#define ANSWER_NS 300000000ll /* before the deadline, so that the answer comes in time */

int64_t idle_limit_of(const struct job *job)
{
	int64_t limit = job->channel->deadline_ns - ANSWER_NS;
	uint32_t wait_ms = job_request(job)->argument;

	int64_t own = sys_now_ns() + wait_ms * 1000000ll;

	return wait_ms && own < limit ? own : limit;
}

int idle_pause(const struct job *job)
{
	let_run_pause(PAUSE_NS);
	return __atomic_load_n(&job->channel->state, __ATOMIC_SEQ_CST) == WIRE_RUNNING ? 0 : -1;
}

void idle_let_run(struct job *job)
{
	if (let_run_is_due(&job->world) && job_may_wait(job) && !gil_window_is_needed() &&
	    !PyErr_Occurred())
		let_run(&job->world);
}

static int give_up(struct job *job, const struct frame_types *types, PyObject *codes)
{
	job_refuse(job, WIRE_STATUS_BUSY, NULL, WIRE_TEXT_ALWAYS_RUNNING, NULL);
	frames_report(job, types, codes);
	PyErr_Clear();
	return -1;
}

/* Who runs what cannot be known. */
static int refuse(struct job *job)
{
	return job_refuse(job, WIRE_STATUS_REFUSED, NULL, WIRE_TEXT_OWN_GIL_RUNS, NULL);
}

int idle_wait(struct job *job, const struct frame_types *types, PyObject *codes,
	      int64_t limit_ns)
{
	struct reply_mark records = reply_mark(&job->reply);
	int waited = 0;

	if (!(job_request(job)->flags & WIRE_WHEN_IDLE) || job_is_committing(job))
		return 0;
	if (job->world.hides_frames)
		return refuse(job);
	for (;;) {
		Py_ssize_t count = frames_report(job, types, codes);
		reply_cut(&job->reply, records);
		if (count <= 0)
			return count < 0 ? -1 : waited;
		if (!job_may_wait(job) || sys_now_ns() >= limit_ns)
			return give_up(job, types, codes);
		job_phase(job, WIRE_PHASE_IDLE);
		if (idle_pause(job)) {
			job->status = WIRE_STATUS_CANCELLED;
			return -1;
		}
		waited = 1;
	}
}
