/* SPDX-License-Identifier: MIT
 *
 * See word.h.
 */
#include "payload/heap/word.h"

#include "payload/base/freestanding.h"

long word_references(const struct world *w, PyObject *holder, PyObject *o)
{
	_cleanup_py_ PyObject *inside = py_call(w->get_referents, holder);
	long count = 0;
	PyObject *item;

	for (Py_ssize_t i = 0; (item = py_item(inside, i)); i++)
		count += item == o;
	return inside ? count : -1;
}

int word_find(const struct world *w, PyObject *o, PyObject *old, size_t *offset)
{
	long size = world_type_number(py_type(o), "__basicsize__");
	long told = word_references(w, o, old);
	/* An instance refers to its class twice when a slot does, too. */
	int found = 0, is_type = py_type_offset && old == py_type(o);
	size_t from = *offset, next = 0;

	if (size < 0 || told < 0)
		return -1;
	for (size_t at = 0; at + sizeof(old) <= (size_t)size; at += sizeof(old)) {
		if (memcmp((const char *)o + at, &old, sizeof(old)) ||
		    (is_type && at == py_type_offset))
			continue;
		found++;
		if (at >= from && !next)
			next = at;
	}
	*offset = next;
	return next && found + is_type == told ? found : 0;
}

int word_find_globals(const struct world *w, PyObject *function, size_t *offset)
{
	*offset = 0;
	int proved = word_find(w, function, PyFunction_GetGlobals(function), offset);

	if (proved == 0)
		PyErr_SetString(w->error, "functions of an unknown layout");
	return proved == 1 ? 0 : -1;
}
