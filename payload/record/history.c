/* SPDX-License-Identifier: MIT
 *
 * The stack of attaches. The invariant: it is bounded, so that a service that is patched every
 * day does not grow, and whatever is read from it was checked, because the program can reach
 * it.
 */
#include "payload/record/history.h"

#include "payload/base/sys.h"
#include "payload/heap/word.h"
#include "payload/record/record.h"
#include "payload/source/home.h"

#define HISTORY_MAX 32

static PyObject *list_in(PyObject *home, const struct world *w, int is_needed)
{
	PyObject *found = home ? PyDict_GetItemString(home, "history") : NULL;

	if (py_is(found, w->list))
		return found;
	if (!home || !is_needed)
		return NULL;
	_cleanup_py_ PyObject *made = PyList_New(0);
	return made && !PyDict_SetItemString(home, "history", made) ? made : NULL;
}

static int get(struct history *out, struct job *job, int is_needed)
{
	PyObject *home = home_dict(job, is_needed);
	PyObject *dropped = home ? PyDict_GetItemString(home, "dropped") : NULL;

	*out = (struct history){.entries = list_in(home, &job->world, is_needed)};
	out->dropped = py_is(dropped, job->world.integer) ? PyLong_AsLong(dropped) : 0;
	out->count = out->dropped + (out->entries ? PyList_Size(out->entries) : 0);
	return PyErr_Occurred() || (is_needed && !out->entries) ? -1 : 0;
}

int history_get(struct history *out, struct job *job)
{
	return get(out, job, 0);
}

PyObject *history_entry(const struct world *w, const struct history *history,
			Py_ssize_t position)
{
	PyObject *const types[HISTORY_FIELD_COUNT] = {
		[HISTORY_TIME] = w->integer,   [HISTORY_REPORT] = w->bytes,
		[HISTORY_WRITES] = w->list,    [HISTORY_MIGRATED] = w->list,
		[HISTORY_CACHES] = w->list,    [HISTORY_BASELINES] = w->dict,
		[HISTORY_NUMBER] = w->integer,
	};
	PyObject *entry = PyList_GetItem(history->entries, position - history->dropped - 1);

	if (!entry)
		return NULL;
	int is_sound = world_is_tuple(entry) && PyTuple_Size(entry) == HISTORY_FIELD_COUNT;
	for (Py_ssize_t i = 0; is_sound && i < HISTORY_FIELD_COUNT; i++)
		is_sound = py_is(PyTuple_GetItem(entry, i), types[i]);
	PyObject *migrated = is_sound ? PyTuple_GetItem(entry, HISTORY_MIGRATED) : NULL;
	PyObject *each;
	for (Py_ssize_t i = 0; is_sound && (each = py_item(migrated, i)); i++) {
		is_sound = world_is_tuple(each) && PyTuple_Size(each) == 3;
	}
	if (is_sound)
		return entry;
	PyErr_SetString(w->error, "the record of the attach is damaged");
	return NULL;
}

Py_ssize_t history_number(struct job *job, const struct history *history, Py_ssize_t position)
{
	PyObject *entry = history_entry(&job->world, history, position);

	return entry ? py_number(entry, HISTORY_NUMBER) : -1;
}

Py_ssize_t history_position(struct job *job, const struct history *history, Py_ssize_t number)
{
	Py_ssize_t position = history->count;

	for (; position > history->dropped; position--) {
		Py_ssize_t its = history_number(job, history, position);
		if (its < 0)
			return -1;
		if (its <= number)
			break;
	}
	return position;
}

Py_ssize_t history_newest(struct job *job)
{
	struct history history;

	if (history_get(&history, job))
		return -1;
	return history.count > history.dropped ? history_number(job, &history, history.count)
					       : history.dropped;
}

/* --- push -------------------------------------------------------------------------------- */

static int add_migrated(const struct plan *p, PyObject *list, PyObject *old, PyObject *new)
{
	const struct world *w = &p->job->world;
	_cleanup_py_ PyObject *holder = record_hold(new);
	_cleanup_py_ PyObject *bases = world_is_class(old) ? world_bases(old) : py_ref(w->none);
	_cleanup_py_ PyObject *entry =
		holder && bases ? PyTuple_Pack(3, old, holder, bases) : NULL;

	return py_append(list, entry);
}

static PyObject *migrated_of(const struct plan *p)
{
	_cleanup_py_ PyObject *list = PyList_New(0);

	for (size_t i = 0; list && i < p->class_count; i++)
		if (p->classes[i].is_migrating &&
		    add_migrated(p, list, p->classes[i].old, p->classes[i].donor))
			return NULL;
	PyObject *pair;
	for (Py_ssize_t i = 0; list && (pair = py_item(p->replaced, i)); i++) {
		if (add_migrated(p, list, py_first(pair), py_second(pair)))
			return NULL;
	}
	return py_take(&list);
}

static PyObject *caches_of(const struct plan *p)
{
	_cleanup_py_ PyObject *list = PyList_New(0);
	PyObject *item;

	for (Py_ssize_t i = 0; list && (item = py_item(p->caches, i)); i++) {
		_cleanup_py_ PyObject *holder = record_hold(item);
		if (py_append(list, holder))
			return NULL;
	}
	return py_take(&list);
}

static PyObject *baselines_of(const struct plan *p)
{
	_cleanup_py_ PyObject *out = PyDict_New();

	for (size_t i = 0; out && i < p->job->modules.count; i++) {
		const struct module *m = &p->job->modules.items[i];
		_cleanup_py_ PyObject *before = home_baseline_before(p->job, m);
		_cleanup_py_ PyObject *anchor = before ? record_hold(m->anchor) : NULL;
		_cleanup_py_ PyObject *entry =
			anchor ? PyTuple_Pack(3, before, m->code, anchor) : NULL;
		if (py_put(out, m->key, entry))
			return NULL;
	}
	return py_take(&out);
}

static int drop_oldest(PyObject *home, struct history *history)
{
	_cleanup_py_ PyObject *dropped = PyLong_FromLongLong(history->dropped + 1);

	if (!dropped || PyDict_SetItemString(home, "dropped", dropped))
		return -1;
	return PyList_SetSlice(history->entries, 0, 1, NULL);
}

int history_push(const struct plan *p)
{
	const struct reply *reply = &p->job->reply;
	struct history history;

	if (get(&history, p->job, 1))
		return -1;
	_cleanup_py_ PyObject *time = PyLong_FromLongLong(sys_clock_ns(CLOCK_REALTIME));
	_cleanup_py_ PyObject *report =
		PyBytes_FromStringAndSize((const char *)(reply->header + 1) + p->told_from,
					  (Py_ssize_t)(p->told_to - p->told_from));
	_cleanup_py_ PyObject *writes = record_make(p);
	_cleanup_py_ PyObject *migrated = migrated_of(p), *caches = caches_of(p);
	_cleanup_py_ PyObject *baselines = baselines_of(p);
	_cleanup_py_ PyObject *number = PyLong_FromLongLong(p->job->attach_number);
	if (!time || !report || !writes || !migrated || !caches || !baselines || !number)
		return -1;
	_cleanup_py_ PyObject *entry = PyTuple_Pack(HISTORY_FIELD_COUNT, time, report, writes,
						    migrated, caches, baselines, number);
	if (py_append(history.entries, entry))
		return -1;
	/* That of a rollback is there for a moment alone. */
	return PyList_Size(history.entries) > HISTORY_MAX &&
			       job_request(p->job)->command == WIRE_COMMAND_ATTACH
		       ? drop_oldest(home_dict(p->job, 1), &history)
		       : 0;
}

/* --- cut --------------------------------------------------------------------------------- */

static int put_back(struct job *job, PyObject *baselines)
{
	PyObject *name, *pair;
	Py_ssize_t at = 0;

	while (PyDict_Next(baselines, &at, &name, &pair)) {
		PyObject *before = py_first(pair);
		if (!before || home_put_back(job, name, before))
			return -1;
	}
	return 0;
}

int history_cut(struct job *job, struct history *history, Py_ssize_t position)
{
	for (; history->count > position; history->count--) {
		PyObject *entry = history_entry(&job->world, history, history->count);
		if (!entry || put_back(job, PyTuple_GetItem(entry, HISTORY_BASELINES)))
			return -1;
		Py_ssize_t last = PyList_Size(history->entries) - 1;
		if (PyList_SetSlice(history->entries, last, last + 1, NULL))
			return -1;
	}
	return 0;
}

/* --- what is ours ------------------------------------------------------------------------ */

static int visit_migrated(PyObject *list, int (*visit)(void *, PyObject *), void *context)
{
	PyObject *entry;
	for (Py_ssize_t i = 0; (entry = py_item(list, i)); i++) {
		if (visit(context, entry) || visit(context, py_first(entry)) ||
		    visit(context, py_second(entry)) ||
		    visit(context, PyTuple_GetItem(entry, 2)))
			return -1;
	}
	return visit(context, list);
}

int history_visit(struct job *job, int (*visit)(void *context, PyObject *o), void *context)
{
	struct history history;

	if (history_get(&history, job))
		return -1;
	for (Py_ssize_t i = history.dropped + 1; i <= history.count; i++) {
		PyObject *entry = history_entry(&job->world, &history, i);
		if (!entry ||
		    record_visit(PyTuple_GetItem(entry, HISTORY_WRITES), visit, context) ||
		    visit_migrated(PyTuple_GetItem(entry, HISTORY_MIGRATED), visit, context))
			return -1;
	}
	return 0;
}

/* --- who holds an object ----------------------------------------------------------------- */

struct holders {
	const struct world *world;
	PyObject *object;
	struct pointer_map seen;
	long count;
};

static int count_holder(void *context, PyObject *holder)
{
	struct holders *h = context;

	int is_new = world_is_class(holder) ? 0 : pointer_map_add(&h->seen, holder);

	if (is_new == 1)
		h->count += word_references(h->world, holder, h->object);
	return is_new < 0 ? -1 : 0;
}

int history_holds_alone(struct job *job, PyObject *o, long others)
{
	struct holders h = {.world = &job->world, .object = o, .count = others};
	_cleanup_py_ PyObject *probe = PyList_New(0); /* what asking adds differs by version */
	int status = history_visit(job, count_holder, &h);

	PyErr_Clear();
	pointer_map_fini(&h.seen);
	return !status && probe &&
	       world_references(h.world, o) == h.count + world_references(h.world, probe) - 1;
}
