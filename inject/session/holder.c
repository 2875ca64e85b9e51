/* SPDX-License-Identifier: MIT
 *
 * See holder.h. A thread is asked only when it waits in a system call with no frame of Python
 * on its stack: then no call of the interpreter is under way on it that our doings could
 * disturb. It is asked by sending it into the image (payload/entry/holder.c), where it finds
 * out for itself.
 *
 * The invariant: a thread that runs Python for us is never cut short. It is let go to end by
 * itself instead.
 */
#include "inject/session/holder.h"

#include <errno.h>
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

struct holder {
	struct handover *handover; /* these four are borrowed */
	struct judge *judge;
	const struct session_options *options;
	struct session_result *result;
	struct seccomp_libc libc;
	struct await await;
	struct tracee tracee; /* the thread that is asked */
	bool inside;          /* it executes Python for us */
	int64_t began_ns;
};

/* On the hijacked thread. */
static int ask(struct holder *holder, struct hp_err *err)
{
	struct handover *h = holder->handover;

	if (!handover_admit(h))
		return HOLDER_NOT_FOUND; /* the worker is on its way out: it has had the GIL */
	if (guest_enter(h, &holder->tracee, h->image->lend, err) < 0)
		return -1;
	holder->inside = true;
	if (guest_await(h, &holder->tracee, deadline_after_ns(ASK_NS), err) < 0)
		return err->kind == HP_TIMEOUT ? HOLDER_WORKS : -1;
	holder->inside = false;
	if (guest_fetch(h, &holder->tracee, deadline_after_ns(LEAVE_NS), err) < 0)
		return -1;
	return guest_result(h) == 0 ? HOLDER_SERVED : HOLDER_NOT_FOUND;
}

static int ask_stopped(struct holder *holder, struct hp_err *err)
{
	struct safepoint safepoint;
	bool outside;

	if (judge_thread(&safepoint, holder->judge, &holder->tracee, err) < 0 ||
	    judge_waits_outside(&outside, holder->judge, &holder->tracee, err) < 0)
		return -1;
	if (safepoint.verdict != VERDICT_SAFE) {
		holder->result->unsafe++;
		return HOLDER_NOT_FOUND;
	}
	if (outside && filters_check(&holder->tracee, &holder->libc, err) < 0)
		return -1;
	if (!outside || tracee_hijack(&holder->tracee, HOLDER_ROOM, err) < 0)
		return HOLDER_NOT_FOUND;
	return ask(holder, err);
}

static int release(struct holder *holder, int outcome, struct hp_err *err)
{
	struct tracee *tracee = &holder->tracee;
	struct hp_err release_err;

	if (holder->inside) {
		hp_err_undo(err, "thread %d does what was asked of it to the end, then goes on",
			    tracee->tid);
		tracee_abandon(tracee);
		return outcome;
	}
	if (tracee_restore(tracee, &release_err) == 0)
		handover_released(holder->handover);
	if (tracee_release(tracee, &release_err) == 0)
		return outcome;
	if (outcome < 0)
		hp_err_undo(err, "%.150s", release_err.text);
	else
		*err = release_err;
	return -1;
}

static int ask_thread(struct holder *holder, pid_t tid, struct hp_err *err)
{
	int r = tracee_stop(&holder->tracee, holder->judge->target, tid,
			    holder->options->deadline, err);

	if (r == TRACEE_VANISHED ||
	    (r < 0 && (err->kind == HP_TRACED || err->kind == HP_PERMISSION)))
		return HOLDER_NOT_FOUND; /* another pyhotpatch has it just now */
	if (r < 0)
		return -1;
	holder->began_ns = clock_now_ns();
	holder->result->stops++;
	holder->inside = false;
	r = ask_stopped(holder, err);
	if (r == HOLDER_WORKS)
		return r;
	r = release(holder, r, err);
	holder->result->held_ns += clock_now_ns() - holder->began_ns;
	return r;
}

static int search(struct holder *holder, struct hp_err *err)
{
	struct judge *judge = holder->judge;
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
		r = ask_thread(holder, threads[i].tid, err);
		if (r != HOLDER_NOT_FOUND)
			return r;
	}
	return HOLDER_NOT_FOUND;
}

int holder_find(struct holder **out, struct handover *handover, struct judge *judge,
		const struct session_options *options, struct session_result *result,
		struct hp_err *err)
{
	struct holder *holder = malloc(sizeof(*holder));
	int r;

	if (!holder)
		return hp_err_set(err, HP_SYSTEM, ENOMEM, "look for the GIL");
	*holder = (struct holder){
		.handover = handover,
		.judge = judge,
		.options = options,
		.result = result,
		.await = await_of(handover, judge->target, options),
	};
	r = search(holder, err);
	if (r == HOLDER_WORKS)
		*out = holder;
	else
		free(holder);
	return r;
}

/* Until the thread has left Python, whatever came of it. */
static int end(struct holder *holder, int outcome, struct hp_err *err)
{
	struct handover *h = holder->handover;
	struct hp_err late;

	if (guest_await(h, &holder->tracee, deadline_after_ns(LEAVE_NS), &late) == 0) {
		holder->inside = false;
		if (outcome < 0 ||
		    guest_fetch(h, &holder->tracee, deadline_after_ns(LEAVE_NS), &late) == 0)
			late.kind = HP_OK;
	}
	if (outcome >= 0 && late.kind != HP_OK) {
		*err = late;
		outcome = -1;
	}
	outcome = release(holder, outcome, err);
	holder->result->held_ns += clock_now_ns() - holder->began_ns;
	free(holder);
	return outcome;
}

int holder_await(struct holder **holder, struct deadline until, struct hp_err *err)
{
	struct holder *one = *holder;

	for (;;) {
		const struct deadline soon = deadline_after_ns(LOOK_NS);
		int stage = SESSION_BUSY;

		if (guest_result(one->handover) == GUEST_UNKNOWN)
			stage = tracee_check(&one->tracee, err) < 0
					? -1
					: await_reply(&one->await,
						      soon.at_ns < until.at_ns ? soon : until,
						      err);
		if (stage <= SESSION_ANSWERED || guest_result(one->handover) != GUEST_UNKNOWN)
			return end(take_ptr(holder), stage, err);
		if (stage != SESSION_BUSY || deadline_passed(until))
			return stage;
	}
}

void holder_end(struct holder **holder)
{
	struct hp_err ignored;

	if (*holder)
		(void)end(take_ptr(holder), SESSION_ANSWERED, &ignored);
}
