/* SPDX-License-Identifier: MIT */
#include "payload/job/module.h"

#include "payload/base/freestanding.h"

int module_is_superseded(const struct module *m, PyObject *name)
{
	return m->superseded && PySet_Contains(m->superseded, name) == 1;
}

void module_fini(struct module *m)
{
	PyObject *const owned[] = {
		m->name,      m->key,      m->object,     m->anchor,    m->live,
		m->file,      m->path,     m->loader,     m->source,    m->code,
		m->run_code,  m->old_code, m->shadow,     m->fresh,     m->before,
		m->binds,     m->inner,    m->kept,       m->refreshed, m->kept_annotations,
		m->donors,    m->parts,    m->chosen,     m->stays,     m->bodies,
		m->redefined, m->told,     m->superseded, m->uses,      m->headed};

	*m = (struct module){0};
	for (size_t i = 0; i < sizeof(owned) / sizeof(*owned); i++)
		Py_DecRef(owned[i]);
}

void modules_fini(struct modules *modules)
{
	for (size_t i = 0; i < modules->count; i++)
		module_fini(&modules->items[i]);
	PyMem_Free(modules->items);
	*modules = (struct modules){0};
}

struct module *modules_add(struct modules *modules)
{
	if (modules->count == modules->capacity) {
		size_t capacity = modules->capacity ? modules->capacity * 2 : 16;
		struct module *items = PyMem_Realloc(modules->items, capacity * sizeof(*items));
		if (!items) {
			PyErr_NoMemory();
			return NULL;
		}
		modules->items = items;
		modules->capacity = capacity;
	}
	struct module *module = &modules->items[modules->count++];
	memset(module, 0, sizeof(*module));
	return module;
}
