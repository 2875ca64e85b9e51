/* SPDX-License-Identifier: MIT
 *
 * See holder.h. A thread is asked only when it waits in a system call with no frame of Python
 * on its stack: then no call of the interpreter is under way on it that our doings could
 * disturb. It is asked by sending it into the image (payload/holder.c), where it finds out for
 * itself.
 *
 * The invariant: a thread that runs Python for us is never cut short. It is let go to end by
 * itself instead.
 */
#include "inject/session/holder.h"

#include <stdlib.h>

#include "inject/base/cleanup.h"
#include "inject/session/await.h"
#include "inject/session/filters.h"
#include "inject/session/guest.h"
#include "inject/session/threads.h"
#include "inject/trace/tracee.h"

#define ASK_NS   5000000ll    /* to find out that it is not the holder takes far less */
#define LOOK_NS  20000000ll   /* how often to look at the thread while it serves */
#define LEAVE_NS 5000000000ll /* to let the worker go, and to leave */

/* Compiling and running module code recurses; a worker of ours has 8 MiB. */
#define HOLDER_ROOM (1u << 20)

struct search {
	struct handover *handover; /* these four are borrowed */
	struct judge *judge;
	const struct session_options *options;
	struct session_result *result;
	struct seccomp_libc libc;
	struct tracee tracee; /* the thread that is asked */
	bool inside;          /* it executes Python for us */
};

/* The reply; then until the thread has left Python, whatever came of it. */
static int await_served(struct search *search, struct hp_err *err)
{
	struct handover *h = search->handover;
	struct await await = await_of(h, search->judge->target, search->options);
	struct hp_err late;
	int r;

	do {
		if (guest_result(h) != GUEST_UNKNOWN)
			return 0;
		if (tracee_check(&search->tracee, err) < 0)
			return -1;
		r = await_reply(&await, deadline_after_ns(LOOK_NS), err);
	} while (r == SESSION_BUSY);
	if (guest_await(h, &search->tracee, deadline_after_ns(LEAVE_NS), &late) == 0 || r < 0)
		return r;
	*err = late;
	return -1;
}

/* On the hijacked thread. */
static int ask(struct search *search, struct hp_err *err)
{
	struct handover *h = search->handover;
	int r;

	if (!handover_admit(h))
		return HOLDER_NOT_FOUND; /* the worker is on its way out: it has had the GIL */
	if (guest_enter(h, &search->tracee, h->image->lend, err) < 0)
		return -1;
	search->inside = true;
	r = guest_await(h, &search->tracee, deadline_after_ns(ASK_NS), err);
	if (r < 0 && err->kind == HP_TIMEOUT)
		r = await_served(search, err);
	if (guest_result(h) == GUEST_UNKNOWN)
		return -1;
	search->inside = false;
	if (r < 0)
		return -1;
	if (guest_fetch(h, &search->tracee, deadline_after_ns(LEAVE_NS), err) < 0)
		return -1;
	return guest_result(h) == 0 ? HOLDER_SERVED : HOLDER_NOT_FOUND;
}

static int ask_stopped(struct search *search, struct hp_err *err)
{
	struct safepoint safepoint;
	bool outside;

	if (judge_thread(&safepoint, search->judge, &search->tracee, err) < 0 ||
	    judge_waits_outside(&outside, search->judge, &search->tracee, err) < 0)
		return -1;
	if (safepoint.verdict != VERDICT_SAFE) {
		search->result->unsafe++;
		return HOLDER_NOT_FOUND;
	}
	if (outside && filters_check(&search->tracee, &search->libc, err) < 0)
		return -1;
	if (!outside || tracee_hijack(&search->tracee, HOLDER_ROOM, err) < 0)
		return HOLDER_NOT_FOUND;
	return ask(search, err);
}

static int release(struct search *search, int outcome, struct hp_err *err)
{
	struct tracee *tracee = &search->tracee;
	struct hp_err release_err;

	if (search->inside) {
		hp_err_undo(err, "thread %d does what was asked of it to the end, then goes on",
			    tracee->tid);
		tracee_abandon(tracee);
		return outcome;
	}
	if (tracee_restore(tracee, &release_err) == 0)
		handover_released(search->handover);
	if (tracee_release(tracee, &release_err) == 0)
		return outcome;
	if (outcome < 0)
		hp_err_undo(err, "%.150s", release_err.text);
	else
		*err = release_err;
	return -1;
}

static int ask_thread(struct search *search, pid_t tid, struct hp_err *err)
{
	int64_t began;
	int r = tracee_stop(&search->tracee, search->judge->target, tid,
			    search->options->deadline, err);

	if (r == TRACEE_VANISHED ||
	    (r < 0 && (err->kind == HP_TRACED || err->kind == HP_PERMISSION)))
		return HOLDER_NOT_FOUND; /* another pyhotpatch has it just now */
	if (r < 0)
		return -1;
	began = clock_now_ns();
	search->result->stops++;
	search->inside = false;
	r = release(search, ask_stopped(search, err), err);
	search->result->held_ns += clock_now_ns() - began;
	return r;
}

int holder_serve(struct handover *handover, struct judge *judge,
		 const struct session_options *options, struct session_result *result,
		 struct hp_err *err)
{
	struct search search = {
		.handover = handover, .judge = judge, .options = options, .result = result};
	_cleanup_free_ struct thread *threads = NULL;
	size_t count;

	if (judge_prepare_frames(judge, err) < 0)
		return -1;
	if (threads_ranked(&threads, &count, judge->target, err) < 0)
		return target_alive(judge->target) ? -1 : HOLDER_NOT_FOUND;
	for (size_t i = 0; i < count; i++) {
		int r;

		if (addr_is_null(threads[i].place.sp) ||
		    !judge_may_wait_outside(judge, &threads[i].place))
			continue;
		r = ask_thread(&search, threads[i].tid, err);
		if (r != HOLDER_NOT_FOUND)
			return r;
	}
	return HOLDER_NOT_FOUND;
}
