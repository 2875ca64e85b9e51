/* SPDX-License-Identifier: MIT
 *
 * Who made a class, and what it left there.
 *
 * The invariant: only the exact builtin types are looked into, and only strings hashed.
 */
#include "payload/python/class_maker.h"

#include "payload/base/freestanding.h"
#include "payload/python/compare.h"

#define DEPTH_MAX  3
#define LOOKED_MAX 10000

/* What type and ABCMeta put into every class, and 3.13's compiler. */
static int is_implicit(PyObject *name)
{
	return compare_is_name(name, "__dict__ __weakref__ __module__ __doc__ __annotations__ "
				     "__annotations_cache__ __annotate__ __annotate_func__ "
				     "__abstractmethods__ _abc_impl __hash__ __parameters__ "
				     "__orig_bases__ __firstlineno__ __static_attributes__ "
				     "__type_params__ __qualname__");
}

/* Did the maker put it there? */
static int is_trace(const struct world *w, PyObject *key, PyObject *value, PyObject *bound)
{
	return world_is_str(key) && (!bound || PySet_Contains(bound, key) != 1) &&
	       !py_is(value, w->member_descriptor) && !is_implicit(key);
}

int class_maker_left_traces(const struct world *w, PyObject *names, PyObject *bound)
{
	PyObject *key, *value;
	Py_ssize_t at = 0;

	while (PyDict_Next(names, &at, &key, &value))
		if (is_trace(w, key, value, bound))
			return 1;
	return 0;
}

static int has_all_keys(PyObject *dict, PyObject *other)
{
	PyObject *key, *value;
	Py_ssize_t at = 0;

	while (PyDict_Next(other, &at, &key, &value))
		if (!PyDict_GetItem(dict, key))
			return 0;
	return at != 0;
}

int class_maker_took_over(const struct world *w, PyObject *class, PyObject *above,
			  PyObject *bound)
{
	_cleanup_py_ PyObject *names = world_type_dict(w, class);
	_cleanup_py_ PyObject *others = names ? world_type_dict(w, above) : NULL;
	PyObject *key, *value;
	Py_ssize_t at = 0;

	while (others && PyDict_Next(names, &at, &key, &value)) {
		PyObject *other = PyDict_GetItem(others, key);
		if (other && is_trace(w, key, value, bound) &&
		    (compare_is_name(key, "__attrs_attrs__ _unbound_fields") ||
		     (world_is_dict(value) && world_is_dict(other) &&
		      has_all_keys(value, other))))
			return 1;
	}
	return 0;
}

/* type_new of Objects/typeobject.c copies the body's namespace, then adds these; 3.13's
 * compiler ends the body with the last. */
static int is_behind_body(const struct world *w, PyObject *key, PyObject *value)
{
	return compare_is_name(key, "__dict__ __weakref__ __static_attributes__") ||
	       (!PyUnicode_CompareWithASCIIString(key, "__doc__") && value == w->none);
}

PyObject *class_maker_body_names(const struct world *w, PyObject *names)
{
	_cleanup_py_ PyObject *out = PySet_New(NULL);
	PyObject *key, *value;
	Py_ssize_t at = 0;

	if (PyDict_GetItemString(names, "_field_defaults")) /* namedtuple() has its own order */
		return py_take(&out);
	while (out && PyDict_Next(names, &at, &key, &value)) {
		const char *text = world_is_str(key) ? py_text(key) : NULL;
		if (!text || is_behind_body(w, key, value))
			return text ? py_take(&out) : PySet_New(NULL);
		if ((memcmp(text, "__", 2) != 0 || text_equal(text, "__doc__")) &&
		    !py_is(value, w->member_descriptor) && PySet_Add(out, key))
			return NULL;
	}
	return PySet_New(NULL);
}

/* --- does it note methods? --------------------------------------------------------------- */

static int is_method(const struct world *w, PyObject *value)
{
	return world_is_function(value) || py_is(value, w->staticmethod) ||
	       py_is(value, w->classmethod) || py_is(value, w->property);
}

struct methods {
	const struct world *world;
	PyObject *names, *bound; /* the class's namespace, what the body binds */
	int looked;
};

static int notes(struct methods *m, PyObject *value, int depth);

static int notes_in(struct methods *m, PyObject *sequence, int depth)
{
	_cleanup_py_ PyObject *items = PySequence_List(sequence);
	PyObject *item;

	for (Py_ssize_t i = 0; (item = py_item(items, i)); i++)
		if (notes(m, item, depth))
			return 1;
	PyErr_Clear();
	return 0;
}

static int notes_in_dict(struct methods *m, PyObject *dict, int depth)
{
	_cleanup_py_ PyObject *keys = PyDict_Keys(dict), *values = PyDict_Values(dict);

	return (keys && notes_in(m, keys, depth)) || (values && notes_in(m, values, depth));
}

/* Looks into builtin containers alone: an object of the maker's may be anything. */
static int notes(struct methods *m, PyObject *value, int depth)
{
	const struct world *w = m->world;

	if (depth > DEPTH_MAX || m->looked++ > LOOKED_MAX)
		return 0;
	if (world_is_str(value))
		return PySet_Contains(m->bound, value) == 1 &&
		       is_method(w, PyDict_GetItem(m->names, value));
	if (world_is_dict(value))
		return notes_in_dict(m, value, depth + 1);
	if (py_is(value, w->list) || world_is_tuple(value) || py_is(value, w->set) ||
	    py_is(value, w->frozenset))
		return notes_in(m, value, depth + 1);
	if (!is_method(w, value))
		return 0;
	PyObject *key, *own;
	Py_ssize_t at = 0;
	while (PyDict_Next(m->names, &at, &key, &own))
		if (own == value)
			return PySet_Contains(m->bound, key) == 1;
	return 0;
}

int class_maker_notes_methods(const struct world *w, PyObject *names, PyObject *bound)
{
	struct methods m = {.world = w, .names = names, .bound = bound};
	PyObject *key, *value;
	Py_ssize_t at = 0;

	while (PyDict_Next(names, &at, &key, &value))
		if (is_trace(w, key, value, bound) && notes(&m, value, 0))
			return 1;
	return 0;
}

/* --- who it is --------------------------------------------------------------------------- */

static int is_of_typing(PyObject *names)
{
	PyObject *module = PyDict_GetItemString(names, "__module__");

	return module && !PyUnicode_CompareWithASCIIString(module, "typing");
}

int class_maker_is_of_program(const struct world *w, PyObject *type)
{
	PyObject *meta = py_type(type);

	if (meta != w->type && meta != w->abc_meta)
		return 1;
	_cleanup_py_ PyObject *mro = world_mro(type);
	for (Py_ssize_t i = 1; mro && i + 1 < PyTuple_Size(mro); i++) {
		_cleanup_py_ PyObject *names = world_type_dict(w, PyTuple_GetItem(mro, i));
		if (names && PyDict_GetItemString(names, "__init_subclass__") &&
		    !is_of_typing(names))
			return 1;
	}
	PyErr_Clear();
	return 0;
}
