/* SPDX-License-Identifier: MIT
 *
 * The functions of a module, found from its namespace.
 */
#ifndef PAYLOAD_JOB_WALK_H
#define PAYLOAD_JOB_WALK_H

#include "payload/base/pointer_map.h"
#include "payload/job/job.h"

/* Appends to the list `out` every function whose globals are `globals` and that can be reached
 * from the values of the dict `names`: through classes of the module called `module_name`,
 * wrappers, descriptors, cells and __wrapped__. Each once. */
int walk_functions(const struct world *world, PyObject *names, PyObject *globals,
		   PyObject *module_name, PyObject *out);

/* Is `value` a function, or a wrapper around one, that the module's source defines under this
 * name? Not what the program put there. -1 with an exception. */
int walk_is_definition(const struct world *world, const struct module *module, PyObject *name,
		       PyObject *value);

/* What is inside a wrapper (property, partial, lru_cache ...), a bound method or a decorated
 * function, as a new list in an order that depends on the kind alone; empty for the rest. */
PyObject *walk_inside(const struct world *world, PyObject *o);

/* The cell of a function's free variable, borrowed, and its value, a new reference; NULL, the
 * latter without exception, when there is none. */
PyObject *walk_free_cell(PyObject *function, PyObject *name);
PyObject *walk_free_value(PyObject *function, PyObject *name);

/* The maxsize of an lru_cache; NULL without exception when it does not tell. New reference. */
PyObject *walk_cache_size(PyObject *cache);

/* 1 when `type` is a class that the module made: its __module__ says so; or another, as that of
 * a package above, but its methods, or the body in the new source, tell. */
int walk_is_class_of(const struct world *world, const struct module *module, PyObject *type);

/* Adds the classes below `class` to the map, whose keys they are. -1 with an exception. */
int walk_subclasses(struct pointer_map *out, const struct world *world, PyObject *class,
		    int depth);

#endif
