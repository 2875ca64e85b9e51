/* SPDX-License-Identifier: MIT
 *
 * Attributes and items that statements store in what the program has, or store no more
 * (shadow/hooks/stores.py).
 */
#include "payload/plan/plan.h"

static int adopt_store(struct plan *p, PyObject *entry)
{
	PyObject *object = py_first(entry), *key = py_second(entry);
	PyObject *value =
		PyTuple_Size(entry) > 2 ? plan_stand_in(p, PyTuple_GetItem(entry, 2)) : NULL;

	return world_is_class(object)
		       ? plan_write_attribute(p, object, key, value)
		       : plan_write(p, world_is_dict(object) ? WRITE_ITEM : WRITE_ATTRIBUTE,
				    object, key, value);
}

int adopt_stores(struct plan *p)
{
	PyObject *sets = p->shadow->sets;

	for (Py_ssize_t i = 0; sets && i < PyList_Size(sets); i++)
		if (adopt_store(p, PyList_GetItem(sets, i)))
			return -1;
	return 0;
}
