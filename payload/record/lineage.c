/* SPDX-License-Identifier: MIT
 *
 * Code that was replaced several times leads over all steps to its end: the steps are taken
 * from that end on, so that each finds the rest of its way done.
 */
#include "payload/record/lineage.h"

#include "payload/python/code.h"
#include "payload/record/record.h"

static int add(const struct world *w, PyObject *from, PyObject *to, PyObject *out)
{
	_cleanup_py_ PyObject *step = PyDict_New(), *file = code_file(from);
	PyObject *steps = file ? code_steps(out, file) : NULL;
	PyObject *code, *next;
	Py_ssize_t at = 0;

	if (!step || !steps || code_pair(w, from, to, step))
		return -1;
	while (PyDict_Next(step, &at, &code, &next)) {
		PyObject *end = code_next(out, next);
		if (PyDict_SetItem(steps, code, end ? end : next))
			return -1;
	}
	return 0;
}

/* Module bodies, where the one before is known; and functions. */
static PyObject *pairs_of(const struct world *w, PyObject *entry)
{
	_cleanup_py_ PyObject *pairs = record_codes(w, PyTuple_GetItem(entry, HISTORY_WRITES));
	PyObject *name, *pair;
	Py_ssize_t at = 0;

	while (pairs &&
	       PyDict_Next(PyTuple_GetItem(entry, HISTORY_BASELINES), &at, &name, &pair)) {
		PyObject *before = py_first(pair), *new = py_second(pair);
		PyObject *old = before && before != w->none ? PyTuple_GetItem(before, 2) : NULL;
		_cleanup_py_ PyObject *bodies = py_pair(old, new);
		if (PyErr_Occurred() || (bodies && PyList_Append(pairs, bodies)))
			return NULL;
	}
	return py_take(&pairs);
}

static int add_attach(struct job *job, const struct history *history, Py_ssize_t number,
		      int is_back, PyObject *out)
{
	const struct world *w = &job->world;
	PyObject *entry = history_entry(w, history, number);
	_cleanup_py_ PyObject *pairs = entry ? pairs_of(w, entry) : NULL;
	PyObject *pair;

	for (Py_ssize_t i = 0; (pair = py_item(pairs, i)); i++) {
		if (add(w, PyTuple_GetItem(pair, is_back), PyTuple_GetItem(pair, !is_back),
			out))
			return -1;
	}
	return pairs ? 0 : -1;
}

int lineage_forward(struct job *job, const struct history *history, PyObject *out)
{
	for (Py_ssize_t i = history->count; i > history->dropped; i--)
		if (add_attach(job, history, i, 0, out))
			return -1;
	return 0;
}

int lineage_back(struct job *job, const struct history *history, Py_ssize_t to, PyObject *out)
{
	for (Py_ssize_t i = to + 1; i <= history->count; i++)
		if (add_attach(job, history, i, 1, out))
			return -1;
	return 0;
}
