/* SPDX-License-Identifier: MIT */
#include "payload/job/module.h"

#include "payload/base/freestanding.h"
#include "payload/python/compare.h"

int module_is_superseded(const struct module *m, PyObject *name)
{
	return m->superseded && PySet_Contains(m->superseded, name) == 1;
}

int module_is_import_name(PyObject *name)
{
	return compare_is_name(name, "__builtins__ __name__ __file__ __spec__ __loader__ "
				     "__package__ __path__ __cached__");
}

const char *module_leaf(const char *dotted)
{
	const char *leaf = dotted;

	for (; *dotted; dotted++)
		if (*dotted == '.')
			leaf = dotted + 1;
	return leaf;
}

void module_forget_choice(struct module *m)
{
	py_drop_all(&m->inner, &m->stamp);
}

void module_fini(struct module *m)
{
	py_drop_all(&m->name, &m->stamp);
	*m = (struct module){0};
}

void modules_fini(struct modules *modules)
{
	for (size_t i = 0; i < modules->count; i++)
		module_fini(&modules->items[i]);
	PyMem_Free(modules->items);
	*modules = (struct modules){0};
}

struct module *modules_find(const struct modules *modules, PyObject *live)
{
	for (size_t i = 0; i < modules->count; i++)
		if (modules->items[i].live == live)
			return &modules->items[i];
	return NULL;
}

struct module *modules_add(struct modules *modules)
{
	return py_add(modules, sizeof(struct module));
}
