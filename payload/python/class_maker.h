/* SPDX-License-Identifier: MIT
 *
 * Who made a class: a metaclass, an __init_subclass__, decorators or typing, and what it left
 * in the class. It runs none of them.
 */
#ifndef PAYLOAD_PYTHON_CLASS_MAKER_H
#define PAYLOAD_PYTHON_CLASS_MAKER_H

#include "payload/python/world.h"

/* Attributes in the class's `names` that the body, which binds `bound`, did not put there. */
int class_maker_left_traces(const struct world *world, PyObject *names, PyObject *bound);

/* The names that the class's body seems to have bound, as a new set: type puts what each class
 * has behind them. Special ones but for the docstring are left out; it is empty when the order
 * tells nothing. */
PyObject *class_maker_body_names(const struct world *world, PyObject *names);

/* Is a method of the body in one of these, itself or by name: a table of handlers, say? */
int class_maker_notes_methods(const struct world *world, PyObject *names, PyObject *bound);

/* Has the maker taken something over from the class above: are the keys of a dict that it left
 * there (the fields of a dataclass, pydantic's __fields__) in the one that it left here? Of
 * attrs and wtforms the names of their lists are known. What the body binds counts for nothing;
 * NULL: not known. */
int class_maker_took_over(const struct world *world, PyObject *class, PyObject *above,
			  PyObject *bound);

/* A metaclass or __init_subclass__ that may keep a registry. typing's keep none. */
int class_maker_is_of_program(const struct world *world, PyObject *type);

#endif
