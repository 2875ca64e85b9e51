/* SPDX-License-Identifier: MIT
 *
 * Code objects: which are the same, which belongs to which, what a body binds.
 */
#ifndef PAYLOAD_PYTHON_CODE_H
#define PAYLOAD_PYTHON_CODE_H

#include "payload/python/world.h"

/* An attribute whose value the code keeps alive or that is small; NULL with an exception. */
PyObject *code_attribute(PyObject *code, const char *name);

/* Those that are asked for in many places. */
PyObject *code_constants(PyObject *code);
PyObject *code_free_names(PyObject *code);
PyObject *code_file(PyObject *code);
PyObject *code_name(PyObject *code);
PyObject *code_variables(PyObject *code);

/* A number that it says of itself; -1 when it is not to be had, or there is no code. */
long code_number(PyObject *code, const char *name);

/* What calling it makes: 0 for a plain function, else a generator, a coroutine or an
 * asynchronous generator. */
long code_kind(PyObject *code);

int code_name_is(PyObject *code, const char *name);

/* Was it compiled under the name of that file? */
int code_is_from(PyObject *code, PyObject *file);

/* Do both have the same name, and the same qualified name as far as a code knows it (3.11)? */
int code_are_namesakes(PyObject *a, PyObject *b);

/* Compiled from text that is in no file, as dataclass and its like compile methods. */
int code_is_generated(PyObject *code);

/* 1 when both do the same, whatever their lines and file; 0; -1 with an exception. */
int code_is_same(const struct world *world, PyObject *a, PyObject *b);

/* 1 when even the lines are the same; for two codes that code_is_same. */
int code_is_unmoved(PyObject *a, PyObject *b);

/* A list of the code objects right inside `code`. */
PyObject *code_inner(PyObject *code);

/* Adds every code object inside `code`, itself included, to the dict `out` as a key
 * and its value. */
int code_collect(PyObject *code, PyObject *out);

/* The body of `qualname` ("Outer.Inner.method", "": the module's) inside a module's code. New
 * reference, or NULL without exception when there is none. */
PyObject *code_find(PyObject *module_code, PyObject *qualname);

/* The bodies beside that one, itself included: a new list, or NULL without exception. */
PyObject *code_beside(PyObject *module_code, PyObject *qualname);

/* What new code has the place of an old one is kept by the file of the old one, as functions of
 * two files may have equal codes: a dict of file -> dict of old -> new. The one for a file,
 * borrowed, or NULL with an exception; the new code, borrowed, or NULL without. */
PyObject *code_steps(PyObject *codes, PyObject *file);
PyObject *code_next(PyObject *codes, PyObject *code);

/* Maps `old` and the functions inside to `new` and the functions inside, in the dict `out` of a
 * file. */
int code_pair(const struct world *world, PyObject *old, PyObject *new, PyObject *out);

/* Likewise the code of a function of which no more than the lines are known to have moved: a
 * property's getter, a definition in a branch. Nothing when there is none that is the same. */
int code_pair_moved(const struct world *world, PyObject *module_code, PyObject *function,
		    PyObject *out);

/* 1 when it is directly inside `outer`, and no other one that is called like it; else 0, maybe
 * with an exception. */
int code_is_only(PyObject *outer, PyObject *code);

/* 1 when both are directly inside one and the same body within `code`. */
int code_are_siblings(PyObject *code, PyObject *a, PyObject *b);

/* Adds the names that the body of a module or class binds to the set `out`. */
int code_stored_names(const struct world *world, PyObject *code, PyObject *out);

/* Removes from the set what it imports from a module without giving it another name. */
int code_drop_imported(const struct world *world, PyObject *code, PyObject *names);

#endif
