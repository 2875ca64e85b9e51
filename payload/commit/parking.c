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
#include "payload/python/class_change.h"
#include "payload/record/history.h"

/* --- who holds it ------------------------------------------------------------------------ */

static long references_in(const struct world *w, PyObject *holder, PyObject *class)
{
	_cleanup_py_ PyObject *inside = py_call(w->get_referents, holder);
	long count = 0;
	PyObject *item;

	for (Py_ssize_t i = 0; (item = py_item(inside, i)); i++)
		count += item == class;
	return count;
}

struct holders {
	const struct world *world;
	PyObject *class;
	struct pointer_map seen;
	long count;
};

static int count_holder(void *context, PyObject *holder)
{
	struct holders *h = context;

	int is_new = world_is_class(h->world, holder) ? 0 : pointer_map_add(&h->seen, holder);

	if (is_new == 1)
		h->count += references_in(h->world, holder, h->class);
	return is_new < 0 ? -1 : 0;
}

/* Its own descriptors (__dict__, slots) and its __mro__. */
static int count_own(struct holders *h)
{
	const struct world *w = h->world;
	_cleanup_py_ PyObject *names = world_type_dict(w, h->class);
	_cleanup_py_ PyObject *mro = world_mro(h->class);
	PyObject *name, *value;
	Py_ssize_t at = 0;

	if (!names || !mro || count_holder(h, mro))
		return -1;
	while (PyDict_Next(names, &at, &name, &value))
		if ((py_is(value, w->getset_descriptor) ||
		     py_is(value, w->member_descriptor)) &&
		    count_holder(h, value))
			return -1;
	return 0;
}

static long reference_count(const struct world *w, PyObject *o)
{
	_cleanup_py_ PyObject *count = py_call(w->getrefcount, o);

	return count ? PyLong_AsLong(count) : -1;
}

static int is_held_by_record_alone(struct job *job, PyObject *class)
{
	struct holders h = {.world = &job->world, .class = class};
	_cleanup_py_ PyObject *probe = PyList_New(0); /* what asking adds differs by version */
	int status = count_own(&h) || history_visit(job, count_holder, &h);

	pointer_map_fini(&h.seen);
	return !status && probe &&
	       reference_count(h.world, class) == h.count + reference_count(h.world, probe) - 1;
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
	    !(py_is(slots, w->str) || py_is(slots, w->tuple)))
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
		if (!world_is_class(w, class))
			continue;
		_cleanup_py_ PyObject *bases = world_bases(class);
		if (bases == PyTuple_GetItem(entry, 2) && is_held_by_record_alone(job, class))
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
