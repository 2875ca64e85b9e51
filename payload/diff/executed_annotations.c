/* SPDX-License-Identifier: MIT */
#include "payload/diff/executed_annotations.h"

static PyObject *numbers_in(PyObject *names)
{
	return names ? PyDict_GetItemString(names, EXECUTED_ANNOTATIONS) : NULL;
}

static int note_group(PyObject *out, const struct body *b, const struct group *group,
		      PyObject *executed)
{
	for (int i = group->first; i < group->end; i++) {
		const struct step *new = &b->new.steps[i];
		const struct step *old =
			group->old_first >= 0
				? &b->old.steps[group->old_first + i - group->first]
				: NULL;
		if (!new->is_annotation || (!old && group->node_count > 1))
			continue;
		if (old && (!executed || PySet_Contains(executed, old->value) != 1))
			continue;
		if (PySet_Add(out, new->value))
			return -1;
	}
	return 0;
}

int executed_annotations_note(struct job *job, struct module *m, const struct body *b)
{
	PyObject *executed = numbers_in(m->live);

	if (job->world.opcodes.minor < 14)
		return 0;
	m->kept_annotations = PySet_New(NULL);
	for (int i = 0; m->kept_annotations && i < b->group_count; i++)
		if (!b->groups[i].is_changed &&
		    note_group(m->kept_annotations, b, &b->groups[i],
			       py_is(executed, job->world.set) ? executed : NULL))
			return -1;
	return m->kept_annotations ? 0 : -1;
}

int executed_annotations_settle(const struct world *w, struct module *m)
{
	PyObject *executed = numbers_in(m->fresh), *before = numbers_in(m->before);

	if (!m->kept_annotations || !py_is(executed, w->set))
		return 0;
	_cleanup_py_ PyObject *kept = PySequence_List(m->kept_annotations);
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(kept, i)); i++)
		if (PySet_Add(executed, item))
			return -1;
	if (py_is(before, w->set) && py_equal(before, executed))
		return PyDict_SetItemString(m->fresh, EXECUTED_ANNOTATIONS, before);
	return kept ? 0 : -1;
}
