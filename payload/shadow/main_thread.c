/* SPDX-License-Identifier: MIT
 *
 * By a pending call (Py_AddPendingCall), which the main thread makes as soon as it executes
 * Python. One that was asked for cannot be taken back, only be made to do nothing. The
 * invariant: the image is not unmapped before the call was made, and a child that is forked
 * meanwhile, which may make it too, has the image and does nothing.
 */
#include "payload/shadow/main_thread.h"

#include "payload/base/sys.h"

#define LOOK_NS 20000000ll

enum errand_state { ERRAND_WAITS = 0, ERRAND_RUNS, ERRAND_DROPPED, ERRAND_OVER };

struct errand {
	int (*run)(void *argument); /* these two are borrowed */
	void *argument;
	long process;
	int status;
	struct py_pending left; /* by it */
	uint32_t state;         /* enum errand_state; futex word; atomic */
};

static int advance(struct errand *errand, uint32_t from, uint32_t to)
{
	return __atomic_compare_exchange_n(&errand->state, &from, to, 0, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

/* On the main thread, with the GIL held. */
static int do_errand(void *argument)
{
	struct errand *errand = argument;

	if (errand->process != sys_getpid())
		return 0;
	if (advance(errand, ERRAND_WAITS, ERRAND_RUNS)) {
		errand->status = errand->run(errand->argument);
		py_set_aside(&errand->left);
	}
	__atomic_store_n(&errand->state, ERRAND_OVER, __ATOMIC_SEQ_CST);
	sys_futex_wake_private(&errand->state);
	return 0;
}

/* Returns whether it was dropped. Code that runs is ended by its own watchdog. */
static int await_errand(const struct job *job, struct errand *errand)
{
	PyThreadState *state = PyEval_SaveThread();
	int is_dropped = 0;

	for (;;) {
		const uint32_t now = __atomic_load_n(&errand->state, __ATOMIC_SEQ_CST);

		if (now == ERRAND_OVER)
			break;
		sys_futex_wait_private(&errand->state, now, LOOK_NS);
		if (!job_is_wanted(job) && advance(errand, ERRAND_WAITS, ERRAND_DROPPED))
			is_dropped = 1;
	}
	PyEval_RestoreThread(state);
	return is_dropped;
}

static void keep_for_children(const struct job *job, int advice)
{
	sys_madvise((void *)job->channel->image_base, job->channel->image_size, advice);
}

int main_thread_run(struct job *job, int (*run)(void *argument), void *argument)
{
	struct errand errand = {.run = run, .argument = argument, .process = sys_getpid()};

	if (job->interpreter || sys_gettid() == errand.process)
		return run(argument);
	job_phase(job, WIRE_PHASE_MAIN);
	keep_for_children(job, MADV_DOFORK);
	if (Py_AddPendingCall(do_errand, &errand)) {
		keep_for_children(job, MADV_DONTFORK);
		return job_refuse(job, WIRE_STATUS_REFUSED, NULL, WIRE_TEXT_NO_PENDING_CALL,
				  NULL);
	}
	int is_dropped = await_errand(job, &errand);
	keep_for_children(job, MADV_DONTFORK);
	if (is_dropped)
		return job_refuse(job, WIRE_STATUS_CANCELLED, NULL, WIRE_TEXT_MAIN_IS_BUSY,
				  NULL);
	py_bring_back(&errand.left);
	return errand.status;
}
