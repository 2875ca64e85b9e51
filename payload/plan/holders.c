/* SPDX-License-Identifier: MIT
 *
 * Each function counts once among the references to its globals, as does the module. When
 * these, and our own, are as many as there are, nobody else is there, and the heap need not be
 * searched: the cost of changing a function does not grow with it.
 *
 * The invariant: who holds the namespace for another reason (a frame up to 3.10, vars() kept
 * somewhere) makes the count larger, and then the heap is searched.
 */
#include "payload/plan/holders.h"

#include "payload/job/walk.h"
#include "payload/python/gil_window.h"

int holders_are_known(const struct plan *p, const struct module *m)
{
	const struct world *w = &p->job->world;
	_cleanup_py_ PyObject *functions = PyList_New(0), *alone = PyDict_New();
	long known = 1; /* m->live */

	/* What has run may have left references anywhere. Without a GIL counts are split. */
	if (!m->is_moved || p->shadow->hook || gil_window_is_needed())
		return 0;
	if (!functions || !alone || walk_functions(w, m->live, m->live, m->name, functions)) {
		PyErr_Clear();
		return 0;
	}
	known += PyList_Size(functions);
	known += m->object && PyModule_GetDict(m->object) == m->live;
	for (size_t i = 0; i < p->writes.count; i++)
		known += p->writes.items[i].object == m->live;
	return world_references(w, m->live) - known == world_references(w, alone) - 1;
}
