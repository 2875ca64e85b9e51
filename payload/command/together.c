/* SPDX-License-Identifier: MIT
 *
 * See together.h. The invariant: once the program outside has died, nothing is applied any
 * more, and what was applied without its word that it stays is taken back.
 */
#include "payload/command/together.h"

#include "payload/base/channel.h"
#include "payload/base/sys.h"
#include "payload/command/everywhere.h"
#include "payload/commit/apply.h"
#include "payload/job/failure.h"

#define LOOK_NS 1000000ll
/* Who decides may have been stopped (SIGSTOP) while it tells one after the other. */
#define WORD_NS 60000000000ll

int together_is_asked(const struct job *job)
{
	return (job_request(job)->flags & WIRE_TOGETHER) && !job->is_revoking;
}

/* Before the commit the deadline counts. After it whoever lives says what becomes of all of
 * them: one that decided for itself would be the odd one out. */
static int is_forsaken(const struct wire_channel *channel, uint32_t state)
{
	int64_t patience_ns = state == WIRE_APPLIED ? WORD_NS : 0;

	return sys_now_ns() >= channel->deadline_ns + patience_ns ||
	       !channel_owner_lives(channel);
}

/* A thread that was borrowed because it keeps the GIL keeps it here, too: nobody expects that
 * it ever gives it up. */
static PyThreadState *give_gil_away(const struct job *job)
{
	return job_may_wait(job) ? PyEval_SaveThread() : NULL;
}

/* Swaps `from` for `state` and waits until it is swapped for another, which is returned; for
 * `else_state` when nobody is left to do so. */
static uint32_t wait_in(struct job *job, uint32_t from, uint32_t state, uint32_t else_state)
{
	struct wire_channel *channel = job->channel;
	uint32_t now;

	if (channel_swap_state(channel, from, state))
		return __atomic_load_n(&channel->state, __ATOMIC_SEQ_CST);
	job_phase(job, WIRE_PHASE_TOGETHER);
	PyThreadState *thread = give_gil_away(job);
	while ((now = __atomic_load_n(&channel->state, __ATOMIC_SEQ_CST)) == state) {
		if (is_forsaken(channel, state))
			channel_swap_state(channel, state, else_state);
		else
			sys_pause(LOOK_NS);
	}
	if (thread)
		PyEval_RestoreThread(thread);
	return now;
}

int together_wait(struct job *job)
{
	if (!together_is_asked(job))
		return 0;
	if (wait_in(job, WIRE_RUNNING, WIRE_PREPARED, WIRE_CANCELLED) == WIRE_RUNNING)
		return 0;
	job->status = WIRE_STATUS_CANCELLED;
	return -1;
}

/* The record of what was done leads back, as rollback goes. */
static int revoke(struct job *job)
{
	modules_fini(&job->modules);
	reply_clear(&job->reply);
	job->status = WIRE_STATUS_NONE;
	job->is_revoking = 1;
	int status = everywhere_rollback(job);
	if (!status) {
		reply_clear(&job->reply);
		job->status = WIRE_STATUS_REVOKED;
		return 0;
	}
	if (job->status == WIRE_STATUS_NONE)
		failure_refuse(job, WIRE_STATUS_INTERNAL, NULL);
	job->status = WIRE_STATUS_BROKEN;
	return -1;
}

int together_settle(struct job *job)
{
	if (!together_is_asked(job) || job->status != WIRE_STATUS_APPLIED)
		return 0;
	uint32_t word = wait_in(job, WIRE_COMMITTING, WIRE_APPLIED, WIRE_REVOKED);
	channel_swap_state(job->channel, word, WIRE_COMMITTING);
	if (word != WIRE_KEPT)
		return revoke(job);
	if (everywhere_keep(job))
		apply_warn(job);
	return 0;
}
