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
#include "payload/record/history.h"

/* --- who holds it ------------------------------------------------------------------------ */

static long references_in(const struct world *w, PyObject *holder, PyObject *class)
{
	_cleanup_py_ PyObject *inside = py_call(w->get_referents, holder);
	long count = 0;

	for (Py_ssize_t i = 0; inside && i < PyList_Size(inside); i++)
		count += PyList_GetItem(inside, i) == class;
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

	if (world_is_class(h->world, holder) || pointer_map_get(&h->seen, holder))
		return 0;
	h->count += references_in(h->world, holder, h->class);
	return pointer_map_set(&h->seen, holder, holder);
}

/* Its own descriptors (__dict__, slots) and its __mro__. */
static int count_own(struct holders *h)
{
	const struct world *w = h->world;
	_cleanup_py_ PyObject *names = world_type_dict(w, h->class);
	_cleanup_py_ PyObject *mro = world_type_attribute(h->class, "__mro__");
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

static int is_same_in(PyObject *a, PyObject *b, const char *name)
{
	_cleanup_py_ PyObject *x = world_type_attribute(a, name);
	_cleanup_py_ PyObject *y = world_type_attribute(b, name);

	return x && y && PyLong_AsLong(x) == PyLong_AsLong(y);
}

static int is_laid_out_like(PyObject *a, PyObject *b)
{
	return is_same_in(a, b, "__basicsize__") && is_same_in(a, b, "__itemsize__") &&
	       is_same_in(a, b, "__dictoffset__") && is_same_in(a, b, "__weakrefoffset__");
}

static int is_of_program(PyObject *class)
{
	return (PyType_GetFlags(class) & PY_TYPE_IS_HEAP) != 0;
}

/* Bases without any layout that the program did not write: abc.ABC, typing.Generic. */
static int is_of_library(const struct world *w, PyObject *class)
{
	static const char *const modules[] = {"abc", "typing", "collections.abc"};
	_cleanup_py_ PyObject *names = world_type_dict(w, class);
	PyObject *module = names ? PyDict_GetItemString(names, "__module__") : NULL;

	for (size_t i = 0; module && i < sizeof(modules) / sizeof(*modules); i++)
		if (py_is(module, w->str) &&
		    !PyUnicode_CompareWithASCIIString(module, modules[i]))
			return 1;
	return 0;
}

/* The type written in C that `base` is, but for such bases. New reference or NULL. */
static PyObject *find_ground(const struct world *w, PyObject *base)
{
	_cleanup_py_ PyObject *ground = py_ref(base);

	while (ground && is_of_program(ground)) {
		_cleanup_py_ PyObject *next = world_type_attribute(ground, "__base__");
		if (!next || !is_laid_out_like(ground, next) || !is_of_library(w, ground))
			return NULL;
		Py_DecRef(ground);
		ground = py_take(&next);
	}
	return py_take(&ground);
}

/* The class above `class` that is laid out like its bases and stands on a type written in C, or
 * NULL, maybe without exception: what a base further up adds would have to be there, too. */
static PyObject *find_model(const struct world *w, PyObject *class)
{
	_cleanup_py_ PyObject *top = world_type_attribute(class, "__base__");
	_cleanup_py_ PyObject *base = top ? world_type_attribute(top, "__base__") : NULL;

	while (base && is_of_program(top) && is_of_program(base) &&
	       is_laid_out_like(top, base)) {
		Py_DecRef(top);
		top = py_take(&base);
		base = world_type_attribute(top, "__base__");
	}
	_cleanup_py_ PyObject *ground =
		base && is_of_program(top) ? find_ground(w, base) : NULL;
	return ground ? py_take(&top) : NULL;
}

/* The setter of __bases__ wants the same layout, and slots of the same names. */
static PyObject *namespace_like(const struct world *w, PyObject *model, PyObject *base)
{
	_cleanup_py_ PyObject *theirs = world_type_dict(w, model);
	_cleanup_py_ PyObject *names = Py_BuildValue("{ss}", "__module__", "_pyhotpatch");
	_cleanup_py_ PyObject *none = PyTuple_New(0);
	PyObject *slots = theirs ? PyDict_GetItemString(theirs, "__slots__") : NULL;
	int is_usable = slots && (py_is(slots, w->str) || py_is(slots, w->tuple));

	if (!names || !none)
		return NULL;
	if (!is_usable && !is_laid_out_like(model, base))
		return py_take(&names);
	return PyDict_SetItemString(names, "__slots__", is_usable ? slots : none)
		       ? NULL
		       : py_take(&names);
}

static int set_base(const struct world *w, PyObject *class, PyObject *base)
{
	_cleanup_py_ PyObject *bases = PyTuple_Pack(1, base);
	_cleanup_py_ PyObject *name = PyUnicode_FromString("__bases__");
	_cleanup_py_ PyObject *done =
		bases && name ? py_call(w->type_setattr, class, name, bases) : NULL;

	return done ? 0 : -1;
}

static PyObject *make_class(const struct world *w, PyObject *base, PyObject *names)
{
	_cleanup_py_ PyObject *bases = PyTuple_Pack(1, base);
	_cleanup_py_ PyObject *name = PyUnicode_FromString("replaced");

	return bases && name ? py_call(w->type, name, bases, names) : NULL;
}

/* abc.ABC would be asked if the place were made below it; it is put there, from a stand-in: the
 * setter takes no type written in C for a class (its deallocator differs). */
static PyObject *make_place(const struct world *w, PyObject *model)
{
	_cleanup_py_ PyObject *base = world_type_attribute(model, "__base__");
	_cleanup_py_ PyObject *ground = base ? find_ground(w, base) : NULL;
	_cleanup_py_ PyObject *names = ground ? namespace_like(w, model, base) : NULL;

	if (!names || ground == base)
		return names ? make_class(w, ground, names) : NULL;
	_cleanup_py_ PyObject *empty =
		Py_BuildValue("{sss()}", "__module__", "_pyhotpatch", "__slots__");
	_cleanup_py_ PyObject *below = empty ? make_class(w, ground, empty) : NULL;
	_cleanup_py_ PyObject *place = below ? make_class(w, below, names) : NULL;
	return place && !set_base(w, place, base) ? py_take(&place) : NULL;
}

/* The setter of __bases__ asks a metaclass that has an mro() of its own. */
static int has_own_mro(const struct world *w, PyObject *class)
{
	_cleanup_py_ PyObject *metas = world_type_attribute(py_type(class), "__mro__");

	for (Py_ssize_t i = 0; metas && PyTuple_GetItem(metas, i) != w->type; i++) {
		_cleanup_py_ PyObject *names = world_type_dict(w, PyTuple_GetItem(metas, i));
		if (PyErr_Occurred() || !names || PyDict_GetItemString(names, "mro"))
			return 1;
	}
	return !metas;
}

static int may_be_parked(const struct world *w, PyObject *class)
{
	_cleanup_py_ PyObject *model = find_model(w, class);

	PyErr_Clear();
	return model && !has_own_mro(w, class);
}

void parking_hide(const struct world *w, PyObject *class)
{
	_cleanup_py_ PyObject *model = has_own_mro(w, class) ? NULL : find_model(w, class);
	_cleanup_py_ PyObject *place = model ? make_place(w, model) : NULL;

	if (!place || set_base(w, class, place))
		PyErr_Clear();
}

static void park_those_of(struct job *job, PyObject *migrated)
{
	const struct world *w = &job->world;

	for (Py_ssize_t i = 0; i < PyList_Size(migrated); i++) {
		PyObject *entry = PyList_GetItem(migrated, i);
		PyObject *class = PyTuple_GetItem(entry, 0);
		if (!world_is_class(w, class))
			continue;
		_cleanup_py_ PyObject *bases = world_type_attribute(class, "__bases__");
		if (bases == PyTuple_GetItem(entry, 2) && may_be_parked(w, class) &&
		    is_held_by_record_alone(job, class))
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
