/* SPDX-License-Identifier: MIT
 *
 * The invariant: a class is parked only when each reference to it was accounted for, so that no
 * frame, no instance and no object in C is there to look anything up in it. What still has a
 * frame or an object that uses it stays where it is, until a later attach finds it free.
 *
 * Taking it out of the list of its base is no way: the list is also how a base that changes
 * tells the classes below it to forget what they looked up (Objects/typeobject.c,
 * PyType_Modified), and what they remember they do not own.
 */
#include "payload/commit/parking.h"

#include "payload/base/freestanding.h"
#include "payload/heap/word.h"
#include "payload/python/class_change.h"
#include "payload/record/history.h"

/* --- who holds it ------------------------------------------------------------------------ */

/* Its own descriptors (__dict__, slots) and its __mro__ refer to it. */
static long count_own(const struct world *w, PyObject *class)
{
	_cleanup_py_ PyObject *names = world_type_dict(w, class);
	_cleanup_py_ PyObject *mro = world_mro(class);
	PyObject *name, *value;
	Py_ssize_t at = 0;
	long count = mro ? word_references(w, mro, class) : -1;

	while (names && PyDict_Next(names, &at, &name, &value))
		if (py_is(value, w->getset_descriptor) || py_is(value, w->member_descriptor))
			count += word_references(w, value, class);
	return count;
}

/* --- the place --------------------------------------------------------------------------- */

/* What its bases stand on, for a class that is to go below a base of its own: a type written in
 * C, or one class with slots upon it. New reference, or NULL, maybe without exception. */
static PyObject *find_ground(const struct world *w, PyObject *class)
{
	_cleanup_py_ PyObject *base = world_base(class);
	_cleanup_py_ PyObject *ground = base ? class_solid(w, base) : NULL;

	/* The setter of __bases__ asks a metaclass that has an mro() of its own. */
	return ground && !class_has_own_mro(w, py_type(class)) ? py_take(&ground) : NULL;
}

/* The setter takes slots of the same names for the same. */
static PyObject *make_place(const struct world *w, PyObject *ground)
{
	if (!(PyType_GetFlags(ground) & PY_TYPE_IS_HEAP))
		return class_make_empty(w, ground, NULL);
	_cleanup_py_ PyObject *base = world_base(ground);
	_cleanup_py_ PyObject *below = base ? class_solid(w, base) : NULL;
	_cleanup_py_ PyObject *names = world_type_dict(w, ground);
	PyObject *slots = names ? PyDict_GetItemString(names, "__slots__") : NULL;

	if (!below || PyType_GetFlags(below) & PY_TYPE_IS_HEAP || !slots ||
	    !(world_is_str(slots) || world_is_tuple(slots)))
		return NULL;
	return class_make_empty(w, below, slots);
}

void parking_hide(const struct world *w, PyObject *class)
{
	_cleanup_py_ PyObject *ground = find_ground(w, class);
	_cleanup_py_ PyObject *place = ground ? make_place(w, ground) : NULL;
	_cleanup_py_ PyObject *bases = place ? PyTuple_Pack(1, place) : NULL;

	if (!bases || class_set_bases(w, class, bases))
		PyErr_Clear();
}

static void park_those_of(struct job *job, PyObject *migrated)
{
	const struct world *w = &job->world;
	PyObject *entry;

	for (Py_ssize_t i = 0; (entry = py_item(migrated, i)); i++) {
		PyObject *class = py_first(entry);
		if (!world_is_class(class))
			continue;
		_cleanup_py_ PyObject *bases = world_bases(class);
		if (bases == PyTuple_GetItem(entry, 2) &&
		    history_holds_alone(job, class, count_own(w, class)))
			parking_hide(w, class);
		PyErr_Clear();
	}
}

void parking_park(struct job *job)
{
	struct history history;

	if (!history_get(&history, job))
		for (Py_ssize_t i = history.dropped + 1; i <= history.count; i++) {
			PyObject *entry = history_entry(&job->world, &history, i);
			if (entry)
				park_those_of(job, PyTuple_GetItem(entry, HISTORY_MIGRATED));
		}
	PyErr_Clear();
}
