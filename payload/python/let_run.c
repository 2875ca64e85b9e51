/* SPDX-License-Identifier: MIT
 *
 * Who gives the GIL up wakes a thread that waits, but need not leave it to it before it has
 * waited for 5 ms and asked for it (FORCE_SWITCHING of Python/ceval_gil.h, .c since 3.12): we
 * would have it back before the other runs, whose 5 ms would begin anew. And a loop or a
 * request needs the GIL several times to get on, with a system call in between. So there is a
 * pause, but only when somebody was woken: otherwise pthread_cond_signal() makes no system call
 * (glibc 2.36, musl 1.2), and we have not been away for WOKEN_NS.
 *
 * Among threads that compute, and so have the GIL for as long as they may, we do as they do:
 * each of our turns waits for those of all others.
 */
#include "payload/python/let_run.h"

#include "payload/base/sys.h"

#define HOLD_NS  1000000ll /* what a request does not notice */
#define TURN_NS  5000000ll /* sys.getswitchinterval(), as it is by default */
#define PAUSE_NS 2000000ll
#define WOKEN_NS 3000ll

/* With nothing made that the collector looks after: it is due, after all that was made while it
 * was off, and would run here, with what the program has put into gc.callbacks. `otherwise`
 * when it cannot be asked. */
static int ask_collector(PyObject *function, int otherwise)
{
	_cleanup_py_ PyObject *result = function ? PyObject_CallObject(function, NULL) : NULL;
	int answer = result ? PyObject_IsTrue(result) == 1 : otherwise;

	PyErr_Clear();
	return answer;
}

void let_run_begin(struct world *w)
{
	w->held_since_ns = sys_now_ns();
	w->hold_ns = HOLD_NS;
}

int let_run_is_due(const struct world *w)
{
	return sys_now_ns() - w->held_since_ns >= w->hold_ns;
}

void let_run_pause(int64_t ns)
{
	PyThreadState *state = PyEval_SaveThread();

	sys_pause(ns);
	PyEval_RestoreThread(state);
}

static void give_gil_away(struct world *w)
{
	int64_t given_ns = sys_now_ns();
	PyThreadState *state = PyEval_SaveThread();

	if (sys_now_ns() - given_ns > WOKEN_NS)
		sys_pause(PAUSE_NS);
	int64_t asked_ns = sys_now_ns();
	PyEval_RestoreThread(state);
	let_run_begin(w);
	int64_t waited_ns = w->held_since_ns - asked_ns;
	if (waited_ns > HOLD_NS)
		w->hold_ns = waited_ns < TURN_NS ? waited_ns : TURN_NS;
}

void let_run(struct world *w)
{
	if (w->is_gc_enabled)
		ask_collector(w->gc_enable, 1);
	give_gil_away(w);
	w->is_gc_enabled = ask_collector(w->gc_is_enabled, w->is_gc_enabled) != 0;
	ask_collector(w->gc_disable, 0);
}
