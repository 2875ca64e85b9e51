/* SPDX-License-Identifier: MIT
 *
 * See await.h. The channel is shared with a foreign process: its fields are read once each,
 * with atomics, and nothing but the state and the phase is believed.
 */
#include "inject/session/await.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "inject/base/cleanup.h"
#include "inject/proc/maps.h"
#include "inject/proc/procfs.h"

#define LOOK_NS     20000000ll /* how often to look whether the target still lives */
#define PROGRESS_NS 100000000ll
#define COMMIT_NS   30000000000ll /* a commit is short; one that takes this long is broken */
#define STRIKE_NS   1000000000ll  /* new module code is told to end every 50 ms */

static uint32_t state_of(const struct handover *h)
{
	return __atomic_load_n(&h->channel->state, __ATOMIC_ACQUIRE);
}

static bool state_is_final(uint32_t state)
{
	return state == WIRE_DONE || state == WIRE_FAILED;
}

/* "cancelled" and "patched" exclude each other: only before COMMITTING does the swap succeed.
 */
bool await_cancel(const struct await *await)
{
	const struct handover *h = await->handover;
	uint32_t state = state_of(h);

	while (state == WIRE_PENDING || state == WIRE_RUNNING || state == WIRE_PREPARED) {
		if (handover_swap_state(h, state, WIRE_CANCELLED))
			return true;
		state = state_of(h);
	}
	return state == WIRE_CANCELLED;
}

static bool has_thread(const struct target *target, pid_t tid)
{
	char name[48];

	snprintf(name, sizeof(name), "task/%d", tid);
	return faccessat(target->procfd, name, F_OK, 0) == 0;
}

/* Its number as we see it: the target may live in a pid namespace of its own. */
pid_t await_worker(const struct handover *h, const struct target *target)
{
	int32_t theirs = __atomic_load_n(&h->channel->worker_tid, __ATOMIC_ACQUIRE);
	_cleanup_free_ pid_t *tids = NULL;
	struct hp_err ignored;
	size_t count;
	char name[48];

	if (theirs <= 0)
		return 0;
	if (target->status.nspid_count <= 1)
		return has_thread(target, theirs) ? theirs : 0;
	if (proc_threads(&tids, &count, target->procfd, &ignored) < 0)
		return 0;
	for (size_t i = 0; i < count; i++) {
		struct proc_status status;

		snprintf(name, sizeof(name), "task/%d/status", tids[i]);
		if (proc_status_read(&status, target->procfd, name, &ignored) == 0 &&
		    status.nspid_count > 0 && status.nspid[status.nspid_count - 1] == theirs)
			return tids[i];
	}
	return 0;
}

static bool image_is_mapped(const struct handover *h, const struct target *target)
{
	struct hp_err ignored;
	struct maps maps;
	const struct map *map;
	bool mapped;

	if (maps_read(&maps, target->procfd, &ignored) < 0)
		return false;
	map = maps_find(&maps, addr_add(h->base, h->channel_offset));
	mapped = map && map->inode == h->inode;
	maps_fini(&maps);
	return mapped;
}

/* The process has ended, or all that we put into it has: exec replaces the whole address space.
 */
static bool worker_is_lost(const struct handover *h, const struct target *target)
{
	if (!target_alive(target))
		return true;
	if (await_worker(h, target) > 0 || image_is_mapped(h, target))
		return false;
	return !state_is_final(state_of(h)); /* it may have answered and left just now */
}

static const char *phase_text(uint32_t phase)
{
	static const char *const texts[] = {
		[WIRE_PHASE_NONE] = "its worker thread did not get to run",
		[WIRE_PHASE_GIL] = "no thread of the program released the GIL",
		[WIRE_PHASE_TURN] = "another attach is at work in it",
		[WIRE_PHASE_SELECT] = "it was still looking for changed modules",
		[WIRE_PHASE_COMPILE] = "it was still compiling the new source",
		[WIRE_PHASE_SHADOW] = "the new module code had not ended",
		[WIRE_PHASE_PLAN] = "it was still planning the changes",
		[WIRE_PHASE_TOGETHER] = "it was ready, but another process was not",
		[WIRE_PHASE_MAIN] = "its main thread executed no Python",
		[WIRE_PHASE_IDLE] = "functions that are to change were running all the time",
	};

	if (phase < sizeof(texts) / sizeof(*texts))
		return texts[phase];
	return "it was about to answer";
}

bool await_thread_end(const struct target *target, pid_t tid, int64_t patience_ns)
{
	struct deadline deadline = deadline_after_ns(patience_ns);
	int64_t pause_ns = 20000;

	while (tid && has_thread(target, tid)) {
		const struct timespec ts = {.tv_nsec = pause_ns};

		if (deadline_passed(deadline))
			return false;
		nanosleep(&ts, NULL);
		if (pause_ns < 1000000)
			pause_ns *= 2;
	}
	return true;
}

/* New module code is told to end, and mostly does. */
static int give_up(const struct await *await, struct hp_err *err)
{
	const struct session_options *options = await->options;
	uint32_t phase = __atomic_load_n(&await->handover->channel->phase, __ATOMIC_RELAXED);
	const char *more = "";

	if (phase == WIRE_PHASE_SHADOW &&
	    !await_thread_end(await->target, await_worker(await->handover, await->target),
			      STRIKE_NS))
		more = "; it did not end when told to, and its thread stays until it does";
	if (options->interrupted && *options->interrupted)
		return hp_err_set(err, HP_INTERRUPTED, 0, "interrupted%s", more);
	return hp_err_set(err, HP_TIMEOUT, 0, "timed out: %s%s", phase_text(phase), more);
}

static void futex_wait(const struct handover *h, uint32_t state, struct deadline until)
{
	const int64_t left_ns = deadline_left_ns(until);
	const struct timespec ts = {.tv_nsec = left_ns > LOOK_NS ? LOOK_NS
					       : left_ns > 0     ? left_ns
								 : 0};

	syscall(SYS_futex, &h->channel->state, FUTEX_WAIT, state, &ts, NULL, 0);
}

static void report_progress(struct await *await)
{
	const struct session_options *options = await->options;
	int64_t now = clock_now_ns();

	if (!options->progress || now - await->progress_ns < PROGRESS_NS)
		return;
	await->progress_ns = now;
	options->progress(options->progress_context,
			  __atomic_load_n(&await->handover->channel->phase, __ATOMIC_RELAXED),
			  now - await->began_ns);
}

struct await await_of(const struct handover *handover, const struct target *target,
		      const struct session_options *options)
{
	int64_t now = clock_now_ns();

	return (struct await){handover, target, options, .began_ns = now, .progress_ns = now};
}

bool await_may_want_gil(const struct await *await)
{
	const struct wire_channel *channel = await->handover->channel;
	const uint32_t state = state_of(await->handover);

	return state == WIRE_RUNNING ||
	       (state == WIRE_PENDING &&
		__atomic_load_n(&channel->phase, __ATOMIC_RELAXED) == WIRE_PHASE_GIL);
}

bool await_has_turn(const struct await *await)
{
	const uint32_t phase =
		__atomic_load_n(&await->handover->channel->phase, __ATOMIC_RELAXED);

	return state_of(await->handover) != WIRE_PENDING && phase > WIRE_PHASE_TURN;
}

int await_reply(struct await *await, struct deadline until, struct hp_err *err)
{
	const struct handover *handover = await->handover;
	const struct session_options *options = await->options;

	for (;;) {
		uint32_t state = state_of(handover);
		bool late = deadline_passed(options->deadline);

		if (state_is_final(state))
			return SESSION_ANSWERED;
		if (state == WIRE_APPLIED)
			return SESSION_APPLIED;
		if ((late || (options->interrupted && *options->interrupted)) &&
		    await_cancel(await))
			return give_up(await, err);
		if (late && deadline_left_ns(options->deadline) < -COMMIT_NS)
			return hp_err_set(err, HP_NOT_RESTORED, 0, "the commit does not end");
		if (clock_now_ns() - await->began_ns > LOOK_NS &&
		    worker_is_lost(handover, await->target))
			return hp_err_set(err, HP_TARGET_DIED, 0,
					  "the process ended, or replaced itself by exec");
		if (state == WIRE_PREPARED)
			return SESSION_PREPARED;
		if (deadline_passed(until))
			return SESSION_BUSY;
		report_progress(await);
		futex_wait(handover, state, until);
	}
}
