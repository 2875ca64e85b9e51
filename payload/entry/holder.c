/* SPDX-License-Identifier: MIT
 *
 * See holder.h. The invariant: the thread holds the GIL afterwards as it did before, with the
 * exception that was pending.
 */
#include "payload/entry/holder.h"

#include <errno.h>

#include "payload/base/py.h"
#include "payload/base/sys.h"
#include "payload/entry/serve.h"

#define LET_GO_NS 1000000000ll

/* What PyGILState_Check() compares; but that says yes to everybody once there was a second
 * interpreter (Python/pystate.c, check_enabled, 3.7 to 3.15). */
static int holds_gil(void)
{
	PyThreadState *mine = PyGILState_GetThisThreadState();
	PyThreadState *(*current)(void) = PyThreadState_GetUnchecked
						  ? PyThreadState_GetUnchecked
						  : _PyThreadState_UncheckedGet;

	return mine && current && current() == mine;
}

/* The worker waits for the GIL, and would for as long as the program does not give it up. Any
 * bytecode of the program's might hand it over as well (ceval's gil_drop_request), so that
 * nobody can rely on keeping it. */
static void let_worker_go(const struct wire_channel *channel)
{
	int64_t began = sys_now_ns();
	PyThreadState *state = PyEval_SaveThread();

	while (!__atomic_load_n(&channel->worker_served, __ATOMIC_ACQUIRE) &&
	       sys_now_ns() - began < LET_GO_NS)
		sys_pause(50000);
	PyEval_RestoreThread(state);
}

int holder_serve(struct wire_channel *channel)
{
	struct py_pending pending;

	if (!holds_gil())
		return EBUSY;
	py_set_aside(&pending);
	payload_serve(channel);
	let_worker_go(channel);
	py_bring_back(&pending);
	return 0;
}
