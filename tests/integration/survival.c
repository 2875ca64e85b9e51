/* SPDX-License-Identifier: MIT */
#include "tests/integration/survival.h"

#include <stdarg.h>
#include <stdio.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/deadline.h"
#include "tests/integration/snapshot.h"

#define WORKER_GONE_NS (10 * INT64_C(1000000000))

void survival_begin(struct survival *out, struct pytarget *target)
{
	struct round round;

	pytarget_fresh(target, &round);
	out->target = target;
	out->threads = pytarget_threads(target);
}

void survival_start(struct survival *out, struct pytarget *target,
		    const struct interpreter *python, const char *script, const char *mode)
{
	if (script)
		pytarget_start(target, python, script, mode, "0.03");
	else
		pytarget_start_host(target, python, mode);
	survival_begin(out, target);
}

/* A worker that was already started goes on to its end, whatever became of pyhotpatch. One that
 * waits for the GIL needs it once for that. A target that keeps the GIL while it waits gives it
 * up in a round, but only to who had begun to wait 5 ms before (sys.getswitchinterval()): a
 * round is shorter, so that one may be over before the worker asks. */
static void await_worker_gone(const struct survival *survival, const char *when)
{
	struct deadline deadline = deadline_after_ns(WORKER_GONE_NS);
	struct pytarget *target = survival->target;
	struct round round;

	while (pytarget_threads(target) != survival->threads) {
		if (deadline_passed(deadline) || !pytarget_alive(target))
			pytarget_fail(target, "%s: %zu threads instead of %zu", when,
				      pytarget_threads(target), survival->threads);
		if (target->on_demand)
			pytarget_next(target, &round);
		sleep_ms(target->on_demand ? 10 : 1);
	}
}

static void expect_untraced(const struct survival *survival, const char *when)
{
	static struct snapshot now;

	snapshot_take(&now, survival->target->pid);
	for (size_t i = 0; i < now.thread_count; i++) {
		const struct snapshot_thread *thread = &now.threads[i];

		if (thread->tracer != 0 || thread->state == 't' || thread->state == 'T')
			pytarget_fail(survival->target, "%s: thread %d: state %c, tracer %d",
				      when, thread->tid, thread->state, thread->tracer);
	}
}

void survival_check(struct survival *survival, const char *format, ...)
{
	struct pytarget *target = survival->target;
	char when[256];
	struct round round;
	struct run run;
	va_list args;

	va_start(args, format);
	vsnprintf(when, sizeof(when), format, args);
	va_end(args);
	if (!pytarget_alive(target))
		pytarget_fail(target, "%s: the target is dead", when);
	await_worker_gone(survival, when);
	expect_untraced(survival, when);
	pytarget_fresh(target, &round);
	if (round.version != target->version && round.version != target->version - 1)
		pytarget_fail(target, "%s: neither v%d nor v%d: %s", when, target->version - 1,
			      target->version, round.text);
	survival->was_new += round.version == target->version;
	survival->was_old += round.version != target->version;
	run_attach(&run, target->pid);
	if (run.status != 0)
		pytarget_fail(target, "%s: the next attach failed with %d: %s%s", when,
			      run.status, run.out, run.err);
	pytarget_fresh(target, &round);
	if (round.version != target->version)
		pytarget_fail(target, "%s: v%d expected after the next attach: %s", when,
			      target->version, round.text);
}
