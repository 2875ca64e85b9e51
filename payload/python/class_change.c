/* SPDX-License-Identifier: MIT
 *
 * The setter of __bases__ compares the new base with the one in the type's tp_base, and wants
 * them to have the same deallocator and to be built up alike (Objects/typeobject.c,
 * type_set_bases and compatible_for_assignment, 3.7 to 3.15); whether the class itself, whose
 * instances it is about, stays as it is laid out, it does not ask. So it is told that the new
 * base is there already, where that is so by a judgement of ours: all that the new bases have
 * in an instance is where the class has it.
 *
 * A metaclass is the type of the class: one word, and the classes that it made own a reference
 * to it when it is of the heap (PyType_GenericAlloc, subtype_dealloc).
 */
#include "payload/python/class_change.h"

#include "payload/base/freestanding.h"
#include "payload/python/type_word.h"

/* The names of its own slots, as a new set. */
static PyObject *slots_of(const struct world *w, PyObject *class)
{
	_cleanup_py_ PyObject *names = world_type_dict(w, class), *out = PySet_New(NULL);
	PyObject *key, *value;
	Py_ssize_t at = 0;

	while (names && out && PyDict_Next(names, &at, &key, &value))
		if (py_is(value, w->member_descriptor) && PySet_Add(out, key))
			return NULL;
	return names ? py_take(&out) : NULL;
}

static int has_slots(const struct world *w, PyObject *class)
{
	_cleanup_py_ PyObject *slots = slots_of(w, class);

	return !slots || PySet_Size(slots);
}

PyObject *class_solid(const struct world *w, PyObject *class)
{
	_cleanup_py_ PyObject *solid = py_ref(class);

	while (PyType_GetFlags(solid) & PY_TYPE_IS_HEAP && !has_slots(w, solid)) {
		PyObject *base = world_base(solid);
		if (!base)
			return NULL;
		Py_DecRef(solid);
		solid = base;
	}
	return py_take(&solid);
}

static int is_laid_out_like(PyObject *a, PyObject *b)
{
	static const char names[] = "__basicsize__\0__itemsize__\0__dictoffset__\0"
				    "__weakrefoffset__\0";

	for (const char *name = names; *name; name = text_next(name))
		if (world_type_number(a, name) != world_type_number(b, name))
			return 0;
	return !PyErr_Occurred();
}

int class_has_slots_like(const struct world *w, PyObject *a, PyObject *b)
{
	_cleanup_py_ PyObject *x = slots_of(w, a), *y = slots_of(w, b);

	return x && y && py_equal(x, y) && is_laid_out_like(a, b);
}

static int is_solid_same(const struct world *w, PyObject *a, PyObject *b)
{
	_cleanup_py_ PyObject *x = class_solid(w, a), *y = class_solid(w, b);

	if (!x || !y || x == y || !(PyType_GetFlags(x) & PyType_GetFlags(y) & PY_TYPE_IS_HEAP))
		return x && x == y;
	_cleanup_py_ PyObject *above = world_base(x), *other = world_base(y);
	return above && other && class_has_slots_like(w, x, y) &&
	       is_solid_same(w, above, other);
}

/* Has the class at this place what the base has there? Bases without it leave it to the class.
 */
static int is_place_shared(PyObject *class, PyObject *base, const char *name)
{
	long place = world_type_number(base, name);

	return !place || place == world_type_number(class, name);
}

/* What the bases below the solid one add is a dict and a list of weak references alone. */
static int takes_base(const struct world *w, PyObject *class, PyObject *base)
{
	_cleanup_py_ PyObject *now = world_base(class);
	const unsigned long gained = PyType_GetFlags(base) & ~PyType_GetFlags(class);

	return now && !(gained & PY_TYPE_HAS_GC) && is_solid_same(w, now, base) &&
	       is_place_shared(class, base, "__dictoffset__") &&
	       is_place_shared(class, base, "__weakrefoffset__") &&
	       world_type_number(base, "__basicsize__") <=
		       world_type_number(class, "__basicsize__") &&
	       world_type_number(base, "__itemsize__") ==
		       world_type_number(class, "__itemsize__");
}

int class_put(const struct world *w, PyObject *class, PyObject *name, PyObject *value)
{
	PyObject *setter = value ? w->type_setattr : w->type_delattr, *meta;
	_cleanup_py_ PyObject *mro = world_mro(py_type(class));

	for (int i = 0; mro && (meta = PyTuple_GetItem(mro, i)) != w->type; i++) {
		_cleanup_py_ PyObject *names = world_type_dict(w, meta);
		PyObject *found = names ? PyDict_GetItemString(names, value ? "__setattr__"
									    : "__delattr__")
					: NULL;
		if (py_is(found, py_type(setter))) {
			setter = found;
			break;
		}
	}
	_cleanup_py_ PyObject *done = py_call(setter, class, name, value);
	/* That of unions does not say it (Modules/_ctypes/_ctypes.c, UnionType_setattro). */
	PyType_Modified(class);
	return done ? 0 : -1;
}

static int ask_setter(const struct world *w, PyObject *class, PyObject *bases)
{
	_cleanup_py_ PyObject *name = PyUnicode_FromString("__bases__");

	return name ? class_put(w, class, name, bases) : -1;
}

/* The setter lets go of the base that it finds, which is not the one that the class owned. */
static int set_as_if_from(const struct world *w, PyObject *class, PyObject *base,
			  PyObject *bases)
{
	_cleanup_py_ PyObject *owned = world_base(class);
	char *at = (char *)class + py_base_offset;

	if (!owned || memcmp(at, &owned, sizeof(owned)))
		return -1;
	Py_IncRef(base);
	memcpy(at, &base, sizeof(base));
	if (!ask_setter(w, class, bases)) {
		Py_DecRef(owned);
		return 0;
	}
	memcpy(at, &owned, sizeof(owned));
	Py_DecRef(base);
	return -1;
}

/* Which of them decides how instances are laid out, the setter knows. Without an exception when
 * it was not asked. */
static int set_as_if_there(const struct world *w, PyObject *class, PyObject *bases)
{
	int status = -1;
	PyObject *base;

	for (Py_ssize_t i = 0; status && (base = py_tuple_item(bases, i)); i++) {
		PyErr_Clear(); /* what the last one says is kept */
		int takes = takes_base(w, class, base);
		PyErr_Clear();
		if (takes)
			status = set_as_if_from(w, class, base, bases);
	}
	return status;
}

int class_set_bases(const struct world *w, PyObject *class, PyObject *bases)
{
	struct py_pending pending;

	if (!ask_setter(w, class, bases))
		return 0;
	if (!py_base_offset || !world_is_type_error(w))
		return -1;
	py_set_aside(&pending);
	int status = set_as_if_there(w, class, bases);
	if (status && !PyErr_Occurred()) {
		py_bring_back(&pending);
		return -1;
	}
	py_drop_all(&pending.kind, &pending + 1);
	return status;
}

PyObject *class_make_empty(const struct world *w, PyObject *base, PyObject *slots)
{
	_cleanup_py_ PyObject *name = PyUnicode_FromString("replaced");
	_cleanup_py_ PyObject *bases = PyTuple_Pack(1, base);
	_cleanup_py_ PyObject *names =
		Py_BuildValue("{sss()}", "__module__", "_pyhotpatch", "__slots__");

	if (!name || !bases || !names ||
	    (slots && PyDict_SetItemString(names, "__slots__", slots)))
		return NULL;
	return py_call(w->type, name, bases, names);
}

PyObject *class_that_has(const struct world *w, PyObject *class, PyObject *name)
{
	_cleanup_py_ PyObject *mro = world_mro(class);
	PyObject *base;

	for (Py_ssize_t i = 0; name && (base = py_tuple_item(mro, i)); i++) {
		_cleanup_py_ PyObject *names = world_type_dict(w, base);
		if (py_get(names, name))
			return base;
	}
	PyErr_Clear();
	return NULL;
}

int class_has_own_mro(const struct world *w, PyObject *metaclass)
{
	_cleanup_py_ PyObject *name = PyUnicode_FromString("mro");

	return class_that_has(w, metaclass, name) != w->type;
}

int class_is_exchangeable(const struct world *w, PyObject *a, PyObject *b)
{
	int is_meta = PyType_IsSubtype(a, w->type);
	int is_so = py_type_offset &&
		    (is_meta ? !class_has_own_mro(w, a) && !class_has_own_mro(w, b)
			     : !world_type_number(a, "__dictoffset__") &&
				       world_type_number(a, "__weakrefoffset__")) &&
		    is_laid_out_like(a, b) && is_solid_same(w, a, b);

	PyErr_Clear();
	return is_so;
}

void class_put_type(PyObject *o, PyObject *class)
{
	PyObject *now = py_type(o);

	if (PyType_GetFlags(class) & PY_TYPE_IS_HEAP)
		Py_IncRef(class);
	memcpy((char *)o + py_type_offset, &class, sizeof(class));
	if (PyType_GetFlags(now) & PY_TYPE_IS_HEAP)
		Py_DecRef(now);
}
