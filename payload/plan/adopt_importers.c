/* SPDX-License-Identifier: MIT
 *
 * Other modules that imported a name by `from m import n` hold the object itself. Those that
 * still hold the identical old object get the new one. For a function or class of the module,
 * under its own name, identity is proof enough; a constant such as True or 8080 is shared by
 * strangers, and of `handler = f` there is f, too, so the importer's source must have the
 * import. What a package imports so, others import from it.
 */
#include "payload/base/freestanding.h"
#include "payload/diff/import_search.h"
#include "payload/diff/names_gone.h"
#include "payload/plan/plan.h"
#include "payload/source/origin.h"

/* Did what ran make something of the name? */
static int is_settled(const struct plan *p, const struct module *m, PyObject *name,
		      PyObject *old)
{
	PyObject *bound = PyDict_GetItem(m->binds, name);

	return !bound || plan_stand_in(p, bound) != old;
}

/* The importer holds it as `name`, and may be imported from. */
static int adopt_further(struct plan *p, const struct replaced_name *r,
			 const struct module *importer, PyObject *name)
{
	const struct replaced_name further = {
		.module = importer, .name = name, .old = r->old, .value = r->value};

	if (plan_has_write(p, importer->live, name))
		return 0;
	if (plan_write(p, WRITE_ITEM, importer->live, name, r->value))
		return -1;
	return world_is_str(importer->name) ? adopt_importers(p, &further) : 0;
}

static int adopt_into(struct plan *p, const struct replaced_name *r, struct module *importer)
{
	const struct module *ran = modules_find(&p->job->modules, importer->live);
	_cleanup_py_ PyObject *names = PyDict_Copy(importer->live);
	PyObject *name, *value;
	Py_ssize_t at = 0;

	ran = ran && ran->fresh ? ran : NULL;
	int is_own = ran != r->module &&
		     names_is_definition(&p->job->world, r->module, r->name, r->old);
	int has_source = -1, status = 0;
	while (names && !status && PyDict_Next(names, &at, &name, &value)) {
		struct import wanted = {r->module->name, r->name, name,
					ran && r->module->fresh};
		if (value != r->old || !world_is_str(name) ||
		    (ran && is_settled(p, ran, name, value)))
			continue;
		if (!is_own && has_source < 0)
			has_source = !origin_find(p->job, importer);
		if (is_own ||
		    (has_source && import_is_in_source(p->job, p->imports, importer, &wanted)))
			status = adopt_further(p, r, importer, name);
	}
	return names ? status : -1;
}

static int adopt_importer(struct plan *p, const struct replaced_name *r, PyObject *object)
{
	struct module importer = {
		.object = py_ref(object),
		.live = py_ref(PyModule_GetDict(object)),
		.name = py_ref(PyDict_GetItemString(PyModule_GetDict(object), "__name__")),
	};
	int status = adopt_into(p, r, &importer);

	module_fini(&importer);
	return status;
}

static int holds(PyObject *live, PyObject *wanted)
{
	PyObject *name, *value;
	Py_ssize_t at = 0;

	while (PyDict_Next(live, &at, &name, &value))
		if (value == wanted)
			return 1;
	return 0;
}

/* Most modules hold nothing of it: to see that, there must be no cost but that of looking. */
int adopt_importers(struct plan *p, const struct replaced_name *replaced)
{
	_cleanup_py_ PyObject *modules = PyDict_Values(p->job->world.modules);

	if (!modules || world_is_module(replaced->old))
		return modules ? 0 : -1;
	PyObject *object;
	for (Py_ssize_t i = 0; (object = py_item(modules, i)); i++) {
		if (world_is_module(object) && holds(PyModule_GetDict(object), replaced->old) &&
		    adopt_importer(p, replaced, object))
			return -1;
	}
	return 0;
}
