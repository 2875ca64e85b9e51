/* SPDX-License-Identifier: MIT
 *
 * The invariant: a dict gets the order that was noted only when it has exactly the keys and the
 * values that were noted, so nothing but the order changes.
 */
#include "payload/heap/key_order.h"

#include "payload/base/pointer_map.h"

void key_order_fini(struct key_order *order)
{
	Py_DecRef(order->noted);
	*order = (struct key_order){0};
}

static int is_noted(const struct key_order *order, PyObject *dict)
{
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(order->noted, i)); i++)
		if (py_first(item) == dict)
			return 1;
	return 0;
}

int key_order_note(struct key_order *order, const struct world *w, PyObject *owner)
{
	int is_class = world_is_class(owner);
	_cleanup_py_ PyObject *dict =
		is_class ? world_class_namespace(w, owner) : py_ref(owner);

	if (!order->noted)
		order->noted = PyList_New(0);
	if (!dict || !order->noted)
		return -1;
	if (is_noted(order, dict))
		return 0;
	_cleanup_py_ PyObject *copy = PyDict_Copy(dict);
	_cleanup_py_ PyObject *entry =
		copy ? PyTuple_Pack(3, dict, copy, is_class ? owner : w->none) : NULL;
	return py_append(order->noted, entry);
}

static int fill(struct pointer_map *out, PyObject *dict)
{
	PyObject *key, *value;
	Py_ssize_t at = 0;

	while (PyDict_Next(dict, &at, &key, &value))
		if (pointer_map_set(out, key, value))
			return -1;
	return 0;
}

/* 1: other order, or a name that is another str; 0: the same; -1: other content. */
static int compare(PyObject *dict, PyObject *copy)
{
	PyObject *key, *value, *wanted_key, *wanted;
	Py_ssize_t at = 0, wanted_at = 0;
	struct pointer_map content = {0};
	int status = PyDict_Size(dict) == PyDict_Size(copy) ? fill(&content, copy) : -1;
	int differs = 0;

	while (!status && PyDict_Next(dict, &at, &key, &value) &&
	       PyDict_Next(copy, &wanted_at, &wanted_key, &wanted)) {
		differs |= key != wanted_key;
		PyObject *noted = world_is_str(key) ? PyDict_GetItem(copy, key)
						    : pointer_map_get(&content, key);
		if (noted != value)
			status = -1;
	}
	pointer_map_fini(&content);
	return status ? -1 : differs;
}

int key_order_restore(const struct key_order *order, const struct world *w)
{
	int status = 0;
	PyObject *entry;

	for (Py_ssize_t i = 0; (entry = py_item(order->noted, i)); i++) {
		PyObject *dict = py_first(entry), *copy = py_second(entry);
		PyObject *class = PyTuple_GetItem(entry, 2);
		int differs = compare(dict, copy);
		if (differs == 1) {
			PyDict_Clear(dict);
			differs = PyDict_Update(dict, copy);
		}
		if (class != w->none)
			PyType_Modified(class);
		status |= differs;
	}
	return status ? -1 : 0;
}
