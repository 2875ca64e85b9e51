/* SPDX-License-Identifier: MIT
 *
 * The attach, from the first stop to the worker's end. See session.h.
 */
#include "inject/session/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "inject/base/cleanup.h"
#include "inject/session/await.h"
#include "inject/session/filters.h"
#include "inject/session/handover.h"
#include "inject/session/holder.h"
#include "inject/session/image.h"
#include "inject/session/judge.h"
#include "inject/session/leftovers.h"
#include "inject/session/own_thread.h"
#include "inject/session/rival.h"
#include "inject/session/script_entry.h"
#include "inject/session/threads.h"
#include "inject/target/remote_exec.h"
#include "inject/trace/tracee.h"

/* How long to wait for the GIL before looking who holds it; then twice as long, up to the
 * latter. A busy program gives it up within milliseconds, but may be in a longer call. */
#define GIL_PATIENCE_NS     300000000ll
#define GIL_PATIENCE_MAX_NS 2400000000ll

/* For the worker to leave, when it has answered, and when it is not to. */
#define LEAVE_NS     5000000000ll
#define CANCELLED_NS 1000000000ll

/* How long to look for a safe point where there is another way in. */
#define SCRIPT_PATIENCE_MAX_NS 5000000000ll

#define REFUSALS_MAX 50

struct session {
	const struct target *target; /* borrowed */
	const struct session_options *options;
	struct judge judge;
	struct image image;
	struct seccomp_libc libc;
	struct leftovers leftovers;
	struct own_thread own;
	struct handover handover;
	struct await await;
	struct holder *holder;     /* NULL: the worker does the work */
	struct deadline impatient; /* when to look who has the GIL */
	int64_t patience_ns, began_ns;
	struct session_result result;
	struct deadline threads_until; /* how long to look for a thread */
	unsigned refusals;
	char last_reason[200]; /* where the last unsafe thread was */
};

/* ---- one thread ---- */

enum attempt { ATTEMPT_DONE, ATTEMPT_RETRY, ATTEMPT_FAILED };

static void note_reason(struct session *session, pid_t tid, const struct hp_err *err)
{
	snprintf(session->last_reason, sizeof(session->last_reason), "thread %d: %.150s", tid,
		 err->text);
}

/* On the hijacked thread: have it make one of ours, or else do all that is to be done. */
static int use_hijacked(struct session *session, struct tracee *tracee, struct span request,
			bool may_spawn, struct hp_err *err)
{
	const struct deadline deadline = session->options->deadline;
	const struct step step = {tracee, session->target, deadline};
	struct own_thread *own = &session->own;
	int r = SPAWN_NOT;

	if (may_spawn)
		r = spawn_thread(&own->thread, tracee, &own->spawn, &own->chains,
				 step_deadline(deadline), err);
	own->spawn.is_possible = false; /* it is tried once */
	if (r != SPAWN_NOT)
		return r;
	leftovers_unmap(&session->leftovers, &step);
	return handover_run(&session->handover, tracee, session->target, request, deadline,
			    err);
}

static enum attempt use_thread(struct session *session, struct tracee *tracee,
			       struct span request, struct hp_err *err)
{
	struct safepoint safepoint;
	int r;

	if (judge_thread(&safepoint, &session->judge, tracee, err) < 0)
		return ATTEMPT_FAILED;
	if (safepoint.verdict != VERDICT_SAFE) {
		session->result.unsafe++;
		snprintf(session->last_reason, sizeof(session->last_reason), "thread %d %s",
			 tracee->tid, safepoint.reason);
		return ATTEMPT_RETRY;
	}
	r = filters_check(tracee, &session->libc, err);
	if (r < 0)
		return ATTEMPT_FAILED;
	if (tracee_hijack(tracee, TRACEE_ROOM, err) == 0) {
		r = use_hijacked(session, tracee, request, r == FILTERS_NONE, err);
		if (r == 0)
			return ATTEMPT_DONE;
	}
	note_reason(session, tracee->tid, err);
	if (err->kind == HP_NO_SAFE_POINT || err->kind == HP_TARGET_DIED ||
	    (err->kind == HP_TIMEOUT && !session->handover.launched))
		return ATTEMPT_RETRY; /* this thread cannot; another may */
	return ATTEMPT_FAILED;
}

/* When that fails, a thread of the program's will tell why. */
static enum attempt use_own_thread(struct session *session, struct span request,
				   struct hp_err *err)
{
	if (own_thread_run(&session->handover, &session->own, request,
			   session->options->deadline, err) == 0)
		return ATTEMPT_DONE;
	if (session->handover.launched)
		return ATTEMPT_FAILED;
	note_reason(session, session->target->pid, err);
	return ATTEMPT_RETRY;
}

/* Between the refusal and its diagnosis the rival may have let go: then a permission seems to
 * be missing, which was there when the process was described. */
static bool rival_may_have(struct session *session, pid_t tid, const struct hp_err *err)
{
	if (err->kind == HP_PERMISSION && ++session->refusals > REFUSALS_MAX)
		return false;
	return (err->kind == HP_TRACED || err->kind == HP_PERMISSION) &&
	       rival_has(session->target->pid, tid);
}

static void handover_begin(struct session *session, struct span request)
{
	handover_init(&session->handover, &session->image, request.len);
	session->handover.leftovers = &session->leftovers;
	session->own.thread = 0;
}

static enum attempt try_thread(struct session *session, pid_t tid, struct span request,
			       struct hp_err *err)
{
	struct hp_err release_err;
	struct tracee tracee;
	enum attempt attempt;
	int64_t began;
	int r = tracee_stop(&tracee, session->target, tid, session->options->deadline, err);

	if (r == TRACEE_VANISHED)
		return ATTEMPT_RETRY;
	if (r < 0 && rival_may_have(session, tid, err)) {
		snprintf(session->last_reason, sizeof(session->last_reason),
			 "thread %d is held by another pyhotpatch", tid);
		return ATTEMPT_RETRY;
	}
	if (r < 0)
		return ATTEMPT_FAILED;
	began = clock_now_ns();
	session->result.stops++;
	handover_begin(session, request);
	attempt = use_thread(session, &tracee, request, err);
	/* The worker is told before the thread goes: were we killed in between the other way
	 * round, it would wait for a minute. */
	if (tracee_restore(&tracee, &release_err) == 0)
		handover_released(&session->handover);
	r = tracee_release(&tracee, &release_err);
	session->result.held_ns += clock_now_ns() - began;
	if (attempt == ATTEMPT_DONE && r == 0 && session->own.thread)
		attempt = use_own_thread(session, request, err);
	if (attempt == ATTEMPT_DONE && r == 0 && handover_complete(&session->handover, err) < 0)
		attempt = ATTEMPT_FAILED;
	if (attempt != ATTEMPT_DONE || r < 0)
		handover_fini(&session->handover);
	if (r == 0)
		return attempt;
	if (attempt == ATTEMPT_FAILED)
		hp_err_undo(err, "%.150s", release_err.text);
	else
		*err = release_err;
	return ATTEMPT_FAILED;
}

/* ---- all threads, until one serves ---- */

/* 0.2 to 2 ms: long enough to leave the allocator, and never in step with the program. */
static void pause_with_jitter(void)
{
	const struct timespec ts = {.tv_nsec = 200000 + (long)(clock_now_ns() % 1800000)};

	nanosleep(&ts, NULL);
}

static int check_time(const struct session *session, struct hp_err *err)
{
	const struct session_options *options = session->options;

	if (options->interrupted && *options->interrupted)
		return hp_err_set(err, HP_INTERRUPTED, 0, "interrupted");
	if (!target_alive(session->target))
		return hp_err_set(err, HP_TARGET_DIED, 0, "the process has ended");
	if (deadline_passed(session->threads_until))
		return hp_err_set(
			err, HP_NO_SAFE_POINT, 0,
			"no thread came to a safe point in time (%u stops); the last one: %s",
			session->result.stops,
			session->last_reason[0] ? session->last_reason : "none");
	return 0;
}

static int hand_over(struct session *session, struct span request, struct hp_err *err)
{
	for (;;) {
		_cleanup_free_ struct thread *threads = NULL;
		size_t count;

		if (threads_ranked(&threads, &count, session->target, err) < 0)
			return target_alive(session->target)
				       ? -1
				       : hp_err_set(err, HP_TARGET_DIED, 0,
						    "the process has ended");
		for (size_t i = 0; i < count; i++) {
			if (check_time(session, err) < 0)
				return -1;
			if (judge_expect(&session->judge, &threads[i].place, err) < 0)
				return -1;
			switch (try_thread(session, threads[i].tid, request, err)) {
			case ATTEMPT_DONE:
				return 0;
			case ATTEMPT_FAILED:
				return -1;
			case ATTEMPT_RETRY:
				pause_with_jitter();
				break;
			}
		}
	}
}

/* ---- the other way ---- */

static bool has_script_entry(const struct session *session, const struct hp_err *err)
{
	return (err->kind == HP_TRACED || err->kind == HP_NO_SAFE_POINT) &&
	       remote_exec_is_open(session->target);
}

/* Where there is none after thousands of stops, there will be none. */
static struct deadline patience_before_script(struct deadline whole)
{
	const int64_t half_ns = deadline_left_ns(whole) / 2;

	return deadline_after_ns(half_ns < SCRIPT_PATIENCE_MAX_NS ? half_ns
								  : SCRIPT_PATIENCE_MAX_NS);
}

/* By ptrace, else by the interpreter's own remote execution, which gets at least half of the
 * time. */
static int enter(struct session *session, struct span request, struct hp_err *err)
{
	const struct deadline deadline = session->options->deadline;
	struct hp_err script_err;

	session->threads_until = deadline;
	if (remote_exec_is_open(session->target))
		session->threads_until = patience_before_script(deadline);
	if (hand_over(session, request, err) == 0)
		return 0;
	if (!has_script_entry(session, err))
		return -1;
	handover_init(&session->handover, &session->image, request.len);
	if (script_entry_run(&session->handover, session->target, request, session->options,
			     &script_err) == 0) {
		snprintf(session->result.detour, sizeof(session->result.detour), "%.159s",
			 err->text);
		return 0;
	}
	if (script_err.kind == HP_TIMEOUT)
		return hp_err_wrap(err, "%.150s", script_err.text);
	hp_err_wrap(&script_err, "%.150s", err->text);
	*err = script_err;
	return -1;
}

/* ---- the answer ---- */

/* A private copy, made once: what is decoded must not change under the decoder. */
static int take_reply(struct session *session, struct hp_err *err)
{
	const struct handover *h = &session->handover;
	const uint8_t *reply = (uint8_t *)h->channel + (h->reply_offset - h->channel_offset);
	struct wire_reply header;
	size_t len;

	memcpy(&header, reply, sizeof(header));
	len = sizeof(header) +
	      (header.used > WIRE_REPLY_SIZE - sizeof(header) ? 0 : (size_t)header.used);
	session->result.reply = malloc(len);
	if (!session->result.reply)
		return hp_err_set(err, HP_SYSTEM, ENOMEM, "read the reply");
	memcpy(session->result.reply, reply, len);
	memcpy(session->result.reply, &header, sizeof(header));
	session->result.reply_len = len;
	return 0;
}

/* What only gets the payload in. It is given back while the worker works: when it has answered,
 * its operator waits. */
static void give_back(struct session *session)
{
	judge_fini(&session->judge);
	image_unload(&session->image);
}

static int start(struct session *session, struct span request, struct hp_err *err)
{
	if (session->target->status.seccomp_mode) /* it takes a millisecond */
		seccomp_learn_libc(&session->libc, session->target);
	if (image_link(&session->image, session->options->payload_path, session->target, err) <
		    0 ||
	    judge_init(&session->judge, session->target, err) < 0)
		return -1;
	own_thread_prepare(&session->own, session->target);
	leftovers_find(&session->leftovers, session->target);
	if (enter(session, request, err) < 0)
		return -1;
	give_back(session);
	session->await = await_of(&session->handover, session->target, session->options);
	return 0;
}

static void session_free(struct session *session)
{
	judge_fini(&session->judge);
	image_fini(&session->image);
	session_result_fini(&session->result);
	free(session);
}

/* ---- in steps ---- */

static void be_patient(struct session *session, int64_t patience_ns)
{
	session->patience_ns = patience_ns;
	session->impatient = deadline_after_ns(patience_ns);
}

int session_open(struct session **out, const struct target *target, struct span request,
		 const struct session_options *options, struct hp_err *err)
{
	struct session *session = malloc(sizeof(*session));

	if (!session)
		return hp_err_set(err, HP_SYSTEM, ENOMEM, "begin");
	*session = (struct session){
		.target = target, .options = options, .began_ns = clock_now_ns()};
	if (start(session, request, err) < 0) {
		session_free(session);
		return -1;
	}
	be_patient(session, GIL_PATIENCE_NS);
	*out = session;
	return 0;
}

/* When the GIL does not come, its holder may be had instead. */
static int look_for_holder(struct session *session, struct hp_err *err)
{
	const bool is_wanted = !session->holder && await_may_want_gil(&session->await);

	if (is_wanted && !session->judge.target &&
	    judge_init(&session->judge, session->target, err) < 0)
		return -1;
	if (is_wanted && holder_find(&session->holder, &session->handover, &session->judge,
				     session->options, &session->result, err) < 0)
		return -1;
	be_patient(session, session->patience_ns < GIL_PATIENCE_MAX_NS
				    ? session->patience_ns * 2
				    : session->patience_ns);
	return 0;
}

int session_await(struct session *session, struct deadline until, struct hp_err *err)
{
	for (;;) {
		const bool is_first = session->impatient.at_ns < until.at_ns;
		const struct deadline next = is_first ? session->impatient : until;
		int stage = session->holder ? holder_await(&session->holder, next, err)
					    : await_reply(&session->await, next, err);

		if (stage != SESSION_BUSY || !is_first)
			return stage;
		if (look_for_holder(session, err) < 0)
			return -1;
	}
}

bool session_has_turn(const struct session *session)
{
	return await_has_turn(&session->await);
}

void session_go(struct session *session)
{
	handover_swap_state(&session->handover, WIRE_PREPARED, WIRE_RUNNING);
	be_patient(session, GIL_PATIENCE_NS);
}

void session_keep(struct session *session)
{
	handover_swap_state(&session->handover, WIRE_APPLIED, WIRE_KEPT);
}

void session_revoke(struct session *session)
{
	handover_swap_state(&session->handover, WIRE_APPLIED, WIRE_REVOKED);
	be_patient(session, GIL_PATIENCE_NS);
}

bool session_cancel(struct session *session)
{
	return await_cancel(&session->await);
}

void session_await_end(struct session *session)
{
	holder_end(&session->holder);
	(void)await_thread_end(session->target,
			       await_worker(&session->handover, session->target), CANCELLED_NS);
}

int session_close(struct session_result *out, struct session *session, struct hp_err *err)
{
	pid_t worker = 0; /* nobody waits for it */
	int r = -1;

	holder_end(&session->holder);
	if (out) {
		r = take_reply(session, err);
		worker = await_worker(&session->handover, session->target);
	}
	/* It takes the worker 0.1 ms to leave. */
	handover_fini(&session->handover);
	session->result.worker_left = await_thread_end(session->target, worker, LEAVE_NS);
	if (r == 0) {
		session->result.elapsed_ns = clock_now_ns() - session->began_ns;
		*out = session->result;
		session->result.reply = NULL;
	}
	session_free(session);
	return r;
}

/* ---- at once ---- */

int session_run(struct session_result *out, const struct target *target, struct span request,
		const struct session_options *options, struct hp_err *err)
{
	struct session *session;
	int stage;

	if (session_open(&session, target, request, options, err) < 0)
		return -1;
	do {
		stage = session_await(session, options->deadline, err);
	} while (stage == SESSION_BUSY);
	if (stage == SESSION_ANSWERED)
		return session_close(out, session, err);
	if (stage > 0) {
		session_cancel(session);
		hp_err_set(err, HP_BAD_REPORT, 0, "the payload waits for nobody");
	}
	session_close(NULL, session, err);
	return -1;
}

void session_result_fini(struct session_result *result)
{
	free(result->reply);
	*result = (struct session_result){0};
}
