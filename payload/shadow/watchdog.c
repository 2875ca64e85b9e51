/* SPDX-License-Identifier: MIT
 *
 * The invariant: the watching thread has ended, and its stack is unmapped, when watchdog_end
 * returns; the image is not unmapped before.
 */
#include "payload/shadow/watchdog.h"

#include "payload/base/channel.h"
#include "payload/base/sys.h"

#define LOOK_NS 50000000ll

/* Dropped: the answer is not wanted any more. */
static int is_dropped(const struct wire_channel *channel)
{
	return __atomic_load_n(&channel->state, __ATOMIC_SEQ_CST) == WIRE_CANCELLED ||
	       sys_now_ns() >= channel->deadline_ns || !channel_owner_lives(channel);
}

/* PyThreadState_SetAsyncExc wants the GIL. */
static void strike(struct watchdog *watchdog)
{
	int gil = PyGILState_Ensure();

	if (!__atomic_load_n(&watchdog->is_over, __ATOMIC_SEQ_CST)) {
		watchdog->has_struck = 1;
		PyThreadState_SetAsyncExc(watchdog->worker, watchdog->exception);
	}
	PyGILState_Release(gil);
}

static void *watch_main(void *argument)
{
	struct watchdog *watchdog = argument;

	while (!__atomic_load_n(&watchdog->is_over, __ATOMIC_SEQ_CST)) {
		sys_futex_wait_private(&watchdog->is_over, 0, LOOK_NS);
		if (!__atomic_load_n(&watchdog->is_over, __ATOMIC_SEQ_CST) &&
		    is_dropped(watchdog->channel))
			strike(watchdog);
	}
	return NULL;
}

void watchdog_begin(struct watchdog *out, const struct wire_channel *channel,
		    PyObject *exception)
{
	*out = (struct watchdog){.channel = channel,
				 .exception = exception,
				 .worker = PyThread_get_thread_ident()};
	thread_begin(&out->thread, watch_main, out);
}

/* What was asked for and has not come yet must come now. To take it back, by asking for NULL,
 * would leave the interpreter's flag for it set for ever (Python/ceval.c, SIGNAL_ASYNC_EXC, 3.7
 * to 3.12): all threads would look for it at every chance they have, and a traced one of 3.11
 * would do nothing else. */
static void meet_what_is_under_way(const struct watchdog *watchdog)
{
	struct py_pending pending;

	py_set_aside(&pending);
	_cleanup_py_ PyObject *globals = PyDict_New();
	_cleanup_py_ PyObject *code =
		Py_CompileString("while True: pass", "<pyhotpatch>", PY_FILE_INPUT);
	if (globals && code &&
	    PyThreadState_SetAsyncExc(watchdog->worker, watchdog->exception) == 1) {
		PyObject *result = PyEval_EvalCode(code, globals, globals);
		Py_DecRef(result);
	}
	PyErr_Clear();
	py_bring_back(&pending);
}

int watchdog_end(struct watchdog *watchdog)
{
	if (!watchdog->thread.stack)
		return 0;
	__atomic_store_n(&watchdog->is_over, 1, __ATOMIC_SEQ_CST);
	if (watchdog->has_struck)
		meet_what_is_under_way(watchdog);
	sys_futex_wake_private(&watchdog->is_over);
	PyThreadState *state = PyEval_SaveThread();
	thread_end(&watchdog->thread);
	PyEval_RestoreThread(state);
	return watchdog->has_struck != 0;
}
