/* SPDX-License-Identifier: MIT
 *
 * Other bases and another metaclass for a class that stays the object it is. The setters of
 * type refuse both for more reasons than the memory of instances gives: from `object` to a
 * class of the program, to an empty base like typing.Generic, from `type` to a metaclass.
 */
#ifndef PAYLOAD_PYTHON_CLASS_CHANGE_H
#define PAYLOAD_PYTHON_CLASS_CHANGE_H

#include "payload/python/world.h"

/* Sets class.__bases__. -1 with an exception: the instances would not be laid out as the bases
 * need it (TypeError), or what else the setter says. Tells audit hooks; runs an mro() that the
 * metaclass has. */
int class_set_bases(const struct world *world, PyObject *class, PyObject *bases);

/* To be called when the class, or one above it, may have lost its __new__. */
void class_settle_new(const struct world *world, PyObject *class);

/* May objects of the one become those of the other by their type's word alone? Not classes,
 * where a metaclass computes their __mro__; nor what has a dict, which its class may lay out
 * (3.11), or for which the setter of __class__ does: it has no weak references. */
int class_is_exchangeable(const struct world *world, PyObject *a, PyObject *b);

/* Makes it one of the class, where it may. Runs no code. */
void class_put_type(PyObject *o, PyObject *class);

/* The first of the class's ancestry that has the name itself; NULL when none has. Borrowed. */
PyObject *class_that_has(const struct world *world, PyObject *class, PyObject *name);

/* Has the metaclass an mro() of its own? */
int class_has_own_mro(const struct world *world, PyObject *metaclass);

/* Are instances of both as large, with dict and weak references at the same places, and have
 * the classes the same slots of their own? */
int class_has_slots_like(const struct world *world, PyObject *a, PyObject *b);

/* A class of ours that adds nothing to `base`, or these slots alone (NULL: none). New
 * reference; NULL with an exception. */
PyObject *class_make_empty(const struct world *world, PyObject *base, PyObject *slots);

/* Sets an attribute, or deletes it, past all that metaclasses written in Python do: type does
 * it, or a metaclass written in C, for whose classes type refuses. -1 with an exception. */
int class_put(const struct world *world, PyObject *class, PyObject *name, PyObject *value);

/* A class with what `class` has, below these bases. New reference; NULL, maybe without an
 * exception, where code of the program would hear of it, or the bases do not fit. */
PyObject *class_copy(const struct world *world, PyObject *class, PyObject *bases);

/* The class whose slots or whose C structure the instances of `class` have at their end, but
 * for a dict and weak references: a type written in C, or a class with slots. New reference;
 * NULL with an exception. */
PyObject *class_solid(const struct world *world, PyObject *class);

#endif
