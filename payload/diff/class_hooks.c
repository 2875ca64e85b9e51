/* SPDX-License-Identifier: MIT
 *
 * See class_hooks.h.
 */
#include "payload/diff/class_hooks.h"

#include "payload/base/freestanding.h"
#include "payload/base/pointer_map.h"
#include "payload/job/walk.h"

/* Of all classes those that are below it or, of a metaclass, its own. */
static int count_made(const struct world *w, PyObject *class, int is_metaclass)
{
	struct pointer_map all = {0};
	const struct pointer_entry *entry;
	size_t at = 0;
	int count = 0;

	(void)walk_subclasses(&all, w, w->object, 0);
	while ((entry = pointer_map_next(&all, &at)))
		count += entry->key != class &&
			 PyType_IsSubtype(is_metaclass ? py_type(entry->key) : entry->key,
					  class);
	pointer_map_fini(&all);
	return count;
}

void class_hooks_note(struct job *job, const struct module *m, PyObject *qualname)
{
	const struct world *w = &job->world;
	const char *text = py_text(qualname), *leaf = text ? module_leaf(text) : text;
	int is_below = leaf && text_equal(leaf, "__init_subclass__");

	if (leaf == text || (!is_below && !text_is_word(leaf, "__init__ __new__")))
		return;
	_cleanup_py_ PyObject *name = PyUnicode_FromStringAndSize(text, leaf - text - 1);
	PyObject *class = py_get(m->live, name);
	int count = world_is_class(class) && (is_below || PyType_IsSubtype(class, w->type))
			    ? count_made(w, class, !is_below)
			    : 0;
	_cleanup_py_ PyObject *number = PyUnicode_FromFormat("%d", count);
	if (count)
		job_warn(job, m, qualname, WIRE_TEXT_NOT_CALLED, number);
	PyErr_Clear();
}
