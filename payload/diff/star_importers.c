/* SPDX-License-Identifier: MIT
 *
 * Modules that import with a star from one that changed have other names after that, though
 * they did not change themselves. They are taken for changed ones, no statement of which
 * changed: so new code meets these names when it imports from them, in whatever order, and who
 * imports from these with a star is found by them.
 *
 * The invariant: of such a module nothing runs but imports of what changed.
 */
#include "payload/base/freestanding.h"
#include "payload/diff/import_search.h"
#include "payload/diff/names_gone.h"
#include "payload/diff/star_imports.h"
#include "payload/diff/unchanged.h"

/* Has it all names of the module, or one of its own values? Most modules do not import from it:
 * their sources are not read. What is imported, None, and small numbers are everybody's. */
static int may_have_star(const struct world *w, const struct module *m, PyObject *importer)
{
	PyObject *name, *value;
	Py_ssize_t at = 0;
	int found = 0;

	while (PyDict_Next(m->live, &at, &name, &value)) {
		const char *text = world_is_str(name) ? py_text(name) : NULL;
		if (!text || text[0] == '_' || world_is_module(value))
			continue;
		PyObject *own = PyDict_GetItem(importer, name);
		found |= own ? 1 : 2;
		if (own == value &&
		    (world_is_str(value) || names_is_definition(w, m, name, value)))
			return 1;
	}
	return found == 1;
}

struct search {
	struct job *job;
	PyObject *all;     /* a copy of sys.modules */
	PyObject *imports; /* for import_is_in_source() */
	PyObject *star;    /* "*" */
};

static int add(const struct search *s, size_t at, PyObject *key, PyObject *object)
{
	PyObject *module_name = s->job->modules.items[at].name;
	const struct import wanted = {module_name, s->star, s->star, 0};
	struct module *importer = unchanged_add(s->job, key, object);

	if (!importer)
		return PyErr_Occurred() ? -1 : 0;
	if (!import_is_in_source(s->job, s->imports, importer, &wanted) ||
	    !unchanged_is_source(s->job, importer))
		unchanged_drop(s->job);
	return 0;
}

static int find_importers(const struct search *s, size_t at);

/* The job's own take care of their star imports, but for those that only moved. */
static int add_or_revive(const struct search *s, size_t at, PyObject *key, PyObject *object)
{
	struct module *own = modules_find(&s->job->modules, PyModule_GetDict(object));

	if (!own)
		return add(s, at, key, object);
	if (!own->is_moved)
		return 0;
	own->is_moved = own->is_changed = 0;
	return find_importers(s, (size_t)(own - s->job->modules.items));
}

static int find_importers(const struct search *s, size_t at)
{
	const struct world *w = &s->job->world;
	PyObject *key, *object;
	Py_ssize_t next = 0;

	while (PyDict_Next(s->all, &next, &key, &object))
		if (world_is_str(key) && world_is_module(object) &&
		    may_have_star(w, &s->job->modules.items[at], PyModule_GetDict(object)) &&
		    add_or_revive(s, at, key, object))
			return -1;
	return 0;
}

int star_importers_add(struct job *job)
{
	_cleanup_py_ PyObject *all = PyDict_Copy(job->world.modules), *imports = PyDict_New();
	_cleanup_py_ PyObject *star = PyUnicode_FromString("*");
	const struct search s = {job, all, imports, star};

	if (!all || !imports || !star)
		return -1;
	for (size_t i = 0; i < job->modules.count; i++)
		if (!job->modules.items[i].is_moved && find_importers(&s, i))
			return -1;
	return 0;
}
