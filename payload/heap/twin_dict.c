/* SPDX-License-Identifier: MIT
 *
 * What a dict is, is in the words between the head of the object and the end of the dict: those
 * are swapped, whatever they mean, except the two by which the object has attributes and weak
 * references. No word of a dict points back to it, unless it is the attributes of an instance,
 * whose keys are all strings (Objects/dictobject.c and odictobject.c, 3.7 to 3.15): such a dict
 * never gets here. That it works is tried on dicts of our own before.
 */
#include "payload/heap/twin_dict.h"

#include "payload/base/freestanding.h"
#include "payload/base/pointer_map.h"

static PyObject *base_of(const struct world *w, PyObject *dict)
{
	return py_is_a(dict, w->ordered_dict) ? w->ordered_dict : w->dict;
}

static void swap_word(PyObject *a, PyObject *b, long at)
{
	void *one, *other;

	memcpy(&one, (char *)a + at, sizeof(one));
	memcpy(&other, (char *)b + at, sizeof(other));
	memcpy((char *)a + at, &other, sizeof(other));
	memcpy((char *)b + at, &one, sizeof(one));
}

int twin_dict_swap(const struct world *w, PyObject *dict, PyObject *twin)
{
	PyObject *base = base_of(w, twin);
	long end = world_type_number(base, "__basicsize__"),
	     head = world_type_number(w->object, "__basicsize__");
	long attributes = world_type_number(base, "__dictoffset__");
	long weak = world_type_number(base, "__weakrefoffset__");

	if (head <= 0 || end <= head || attributes < 0 || weak < 0)
		return -1;
	for (long at = head; at < end; at += (long)sizeof(void *))
		if (at != attributes && at != weak)
			swap_word(dict, twin, at);
	return 0;
}

/* An OrderedDict has an order of its own, beside that of the dict. */
static PyObject *keys_of(const struct world *w, PyObject *dict)
{
	if (base_of(w, dict) == w->dict)
		return PyDict_Keys(dict);
	_cleanup_py_ PyObject *iterate = PyObject_GetAttrString(w->ordered_dict, "__iter__");
	_cleanup_py_ PyObject *iterator = iterate ? py_call(iterate, dict) : NULL;
	return iterator ? PySequence_List(iterator) : NULL;
}

static PyObject *items_by(const struct pointer_map *values, PyObject *keys)
{
	_cleanup_py_ PyObject *out = PyList_New(0);
	PyObject *key;

	for (Py_ssize_t i = 0; out && (key = py_item(keys, i)); i++) {
		PyObject *value = pointer_map_get(values, key);
		_cleanup_py_ PyObject *item = py_pair(key, value);
		if (PyErr_Occurred() || (item && PyList_Append(out, item)))
			return NULL;
	}
	return py_take(&out);
}

PyObject *twin_dict_items(const struct world *w, PyObject *dict)
{
	_cleanup_py_ PyObject *keys = keys_of(w, dict);
	struct pointer_map values = {0};
	PyObject *key, *value, *items = NULL;
	Py_ssize_t at = 0;
	int status = keys ? 0 : -1;

	while (!status && PyDict_Next(dict, &at, &key, &value))
		status = pointer_map_set(&values, key, value);
	if (!status)
		items = items_by(&values, keys);
	pointer_map_fini(&values);
	return items;
}

int twin_dict_set(const struct world *w, PyObject *twin, PyObject *key, PyObject *value)
{
	return py_is(twin, w->ordered_dict) ? PyODict_SetItem(twin, key, value)
					    : PyDict_SetItem(twin, key, value);
}

int twin_dict_is_sound(const struct world *w, PyObject *dict)
{
	_cleanup_py_ PyObject *full = twin_dict_new(w, dict), *empty = twin_dict_new(w, dict);

	if (!full || !empty || twin_dict_set(w, full, w->none, w->none) ||
	    twin_dict_swap(w, full, empty))
		return 0;
	_cleanup_py_ PyObject *keys = PySequence_List(empty), *none = PySequence_List(full);
	return keys && none && PyList_Size(keys) == 1 && PyList_Size(none) == 0 &&
	       PyDict_GetItem(empty, w->none) == w->none && PyDict_Size(full) == 0;
}

PyObject *twin_dict_new(const struct world *w, PyObject *dict)
{
	return py_call(base_of(w, dict));
}
