/* SPDX-License-Identifier: MIT
 *
 * gc.get_referrers compares each reference in the heap with each key; here it is looked up,
 * once the interpreter lets us ask a type how its objects are traversed.
 *
 * The invariant: objects are visited, never changed, and nothing of the program is called.
 */
#include "payload/heap/referrers.h"

#include "payload/base/freestanding.h"
#include "payload/heap/heap.h"

#define TYPE_TRAVERSE 71 /* Py_tp_traverse: Include/typeslots.h, part of the stable ABI */

typedef int visit_function(PyObject *o, void *context);
typedef int traverse_function(PyObject *o, visit_function *visit, void *context);

struct pass {
	struct pointer_map keys;
	PyObject *found;
	int is_failed;
};

static int is_key(PyObject *o, void *context)
{
	const struct pass *pass = context;

	return pointer_map_get(&pass->keys, o) != NULL;
}

static int visit_object(PyObject *o, void *context)
{
	struct pass *pass = context;

	void *slot = PyType_GetSlot(py_type_inlined(o), TYPE_TRAVERSE);
	traverse_function *traverse;

	memcpy(&traverse, &slot, sizeof(traverse));
	if (traverse && o != pass->found && traverse(o, is_key, pass) &&
	    PyList_Append(pass->found, o))
		pass->is_failed = 1;
	return !pass->is_failed;
}

/* Before 3.10 only types of the heap tell their slots (Objects/typeobject.c). */
static PyObject *find_by_collector(const struct world *w, PyObject *keys)
{
	_cleanup_py_ PyObject *args = PyList_AsTuple(keys);

	return args ? PyObject_CallObject(w->get_referrers, args) : NULL;
}

static int fill(struct pass *pass, PyObject *keys)
{
	PyObject *key;
	for (Py_ssize_t i = 0; (key = py_item(keys, i)); i++) {
		if (pointer_map_set(&pass->keys, key, key))
			return -1;
	}
	return 0;
}

PyObject *referrers_find(const struct world *w, PyObject *keys)
{
	struct pass pass = {0};

	if (!PyType_GetSlot(w->dict, TYPE_TRAVERSE)) {
		PyErr_Clear();
		return find_by_collector(w, keys);
	}
	pass.found = PyList_New(0);
	int status = pass.found && !fill(&pass, keys) ? heap_visit(w, visit_object, &pass) : -1;

	pointer_map_fini(&pass.keys);
	if (!status && !pass.is_failed)
		return pass.found;
	Py_DecRef(pass.found);
	return NULL;
}

struct tally {
	const struct pointer_map *keys;
	long count;
};

static int count_reference(PyObject *o, void *context)
{
	struct tally *tally = context;

	tally->count += pointer_map_get(tally->keys, o) != NULL;
	return 0;
}

long referrers_among(PyObject *objects, const struct pointer_map *keys, PyObject *found)
{
	struct tally tally = {.keys = keys};

	PyObject *o;
	for (Py_ssize_t i = 0; (o = py_item(objects, i)); i++) {
		void *slot = PyType_GetSlot(py_type_inlined(o), TYPE_TRAVERSE);
		const long before = tally.count;
		traverse_function *traverse;

		if (!slot || o == found)
			continue;
		memcpy(&traverse, &slot, sizeof(traverse));
		traverse(o, count_reference, &tally);
		if (tally.count != before && PyList_Append(found, o))
			return -1;
	}
	return PyErr_Occurred() ? -1 : tally.count;
}

struct look {
	const struct pointer_map *keys;
	PyObject *type;
	int type_count, has_other;
};

static int look_at(PyObject *o, void *context)
{
	struct look *look = context;

	if (o == look->type)
		look->type_count++;
	else if (pointer_map_get(look->keys, o))
		look->has_other = 1;
	return look->has_other;
}

/* Instances of a class written in Python visit it once (Objects/typeobject.c,
 * subtype_traverse; seen on 3.7 to 3.13). */
int referrers_beyond_type(const struct pointer_map *keys, PyObject *o)
{
	struct look look = {.keys = keys, .type = py_type(o)};
	void *slot = PyType_GetSlot(look.type, TYPE_TRAVERSE);
	traverse_function *traverse;

	if (!slot) {
		PyErr_Clear();
		return 1;
	}
	memcpy(&traverse, &slot, sizeof(traverse));
	traverse(o, look_at, &look);
	return look.has_other || look.type_count > 1;
}
