/* SPDX-License-Identifier: MIT
 *
 * See interpreters.h. The invariant: a thread state of ours exists only while we are in its
 * interpreter, because Py_EndInterpreter() ends the process when it finds one that is not its
 * own (Python/pylifecycle.c, "not the last thread").
 *
 * PyThreadState_Swap() changes the interpreter under one GIL up to 3.11; since 3.12 it also
 * gives one GIL up and takes the other (Python/pystate.c).
 */
#include "payload/python/interpreters.h"

#include "payload/base/freestanding.h"

/* What 3.7 to 3.15 have; the head of the list is the newest. */
static int can_be_listed(void)
{
	return PyInterpreterState_Head && PyInterpreterState_Next && PyInterpreterState_GetID &&
	       (PyInterpreterState_Get || _PyInterpreterState_Get);
}

static PyInterpreterState *current(void)
{
	return PyInterpreterState_Get ? PyInterpreterState_Get() : _PyInterpreterState_Get();
}

int interpreters_find(struct interpreters *out)
{
	PyInterpreterState *here = can_be_listed() ? current() : NULL, *at;
	size_t count = 0;

	*out = (struct interpreters){0};
	for (at = here ? PyInterpreterState_Head() : NULL; at; at = PyInterpreterState_Next(at))
		count++;
	if (count < 2)
		return 0;
	out->items = py_room(count * sizeof(*out->items));
	if (!out->items)
		return -1;
	/* Others may come and go; no more than there is room for. */
	for (at = PyInterpreterState_Head(); at && out->count < count;
	     at = PyInterpreterState_Next(at))
		if (at != here)
			out->items[out->count++] = (struct interpreter){
				.state = at, .id = PyInterpreterState_GetID(at)};
	return 0;
}

void interpreters_fini(struct interpreters *all)
{
	PyMem_Free(all->items);
	*all = (struct interpreters){0};
}

static int is_there(const struct interpreter *wanted)
{
	PyInterpreterState *at = PyInterpreterState_Head();

	while (at && at != wanted->state)
		at = PyInterpreterState_Next(at);
	return at && PyInterpreterState_GetID(at) == wanted->id;
}

int interpreter_enter(struct interpreter *to)
{
	if (!is_there(to))
		return 1;
	to->ours = PyThreadState_New(to->state);
	if (!to->ours)
		return -1;
	to->interrupted = PyThreadState_Swap(to->ours);
	return 0;
}

void interpreter_leave(struct interpreter *from)
{
	PyThreadState_Clear(from->ours);
	PyThreadState_Swap(from->interrupted);
	PyThreadState_Delete(from->ours);
	from->ours = from->interrupted = NULL;
}

/* --- whose GIL --------------------------------------------------------------------------- */

/* In seconds, as a float. New reference. */
static PyObject *switch_interval(void)
{
	PyObject *get = PySys_GetObject("getswitchinterval");

	return get ? py_call(get) : NULL;
}

static int set_switch_interval(PyObject *seconds)
{
	PyObject *set = PySys_GetObject("setswitchinterval");
	PyObject *result = set && seconds ? py_call(set, seconds) : NULL;

	Py_DecRef(result);
	return result ? 0 : -1;
}

/* The interval belongs to the GIL (Python/ceval_gil.c): set in here, it is seen in there when
 * both have the same one. A few milliseconds more or less harm nobody. */
static int sees_interval(struct interpreter *other, PyObject *mark)
{
	int seen = -1;

	if (interpreter_enter(other))
		return 0; /* gone: nobody runs in it */
	PyObject *there = switch_interval();
	if (there)
		seen = PyObject_RichCompareBool(there, mark, PY_EQ);
	Py_DecRef(there);
	PyErr_Clear();
	interpreter_leave(other);
	return seen;
}

int interpreter_has_own_gil(struct interpreter *other)
{
	_cleanup_py_ PyObject *before = switch_interval();
	_cleanup_py_ PyObject *odd = Py_BuildValue("d", 0.005377);
	_cleanup_py_ PyObject *mark = NULL;
	int seen = -1;

	if (!before || !odd || set_switch_interval(odd))
		return -1;
	mark = switch_interval(); /* as it was rounded */
	if (mark)
		seen = sees_interval(other, mark);
	if (set_switch_interval(before) || !mark)
		return -1;
	return seen <= 0;
}
