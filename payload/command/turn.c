/* SPDX-License-Identifier: MIT
 *
 * See turn.h. Whose turn it is stands in an attribute of sys for as long as the job lasts: the
 * id of its thread. Two programs outside may not see each other, but their workers share the
 * interpreter. When a program is killed its worker goes on to its end; a child that was forked
 * meanwhile has the attribute but not the thread.
 *
 * The invariant: an attribute that names no thread of this process is nobody's.
 */
#include "payload/command/turn.h"

#include <errno.h>

#include "payload/base/sys.h"
#include "payload/python/let_run.h"

#define TURN_NAME "_pyhotpatch_turn"
#define LOOK_NS   1000000ll

/* Borrowed; NULL in a program that has removed sys. */
static PyObject *sys_dict(void)
{
	PyObject *modules = PyImport_GetModuleDict();
	PyObject *sys = modules ? PyDict_GetItemString(modules, "sys") : NULL;

	return sys ? PyModule_GetDict(sys) : NULL;
}

static int try_take(PyObject *dict)
{
	_cleanup_py_ PyObject *name = PyUnicode_FromString(TURN_NAME);
	_cleanup_py_ PyObject *mine = PyLong_FromLong(sys_gettid());
	PyObject *found = name && mine ? PyDict_SetDefault(dict, name, mine) : NULL;
	long tid = found ? PyLong_AsLong(found) : -1;

	if (found == mine || !found)
		return found != NULL;
	if (tid > 0 && sys_thread_lives((int32_t)tid))
		return 0;
	PyErr_Clear();
	return PyDict_SetItem(dict, name, mine) == 0;
}

int turn_take(struct job *job)
{
	PyObject *dict = sys_dict();

	if (!dict)
		return 0;
	while (!try_take(dict)) {
		PyErr_Clear();
		if (!job_is_wanted(job)) {
			job->status = WIRE_STATUS_CANCELLED;
			return -1;
		}
		job_phase(job, WIRE_PHASE_TURN);
		let_run_pause(LOOK_NS);
	}
	return 0;
}

void turn_give(void)
{
	PyObject *dict = sys_dict();

	if (dict && PyDict_DelItemString(dict, TURN_NAME))
		PyErr_Clear();
}
