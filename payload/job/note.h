/* SPDX-License-Identifier: MIT
 *
 * What a plan and an attach tell in the same words: the module, the statements that run, the
 * state that they keep or lose.
 */
#ifndef PAYLOAD_JOB_NOTE_H
#define PAYLOAD_JOB_NOTE_H

#include "payload/job/job.h"

/* The module, its statements that run, and the state whose statements do not. Comes first. -1
 * with an exception. */
int note_module(struct job *job, struct module *module);

/* The functions of the module that take new code, by `codes` (of code_steps), or another
 * definition. -1 with an exception. */
int note_functions(struct job *job, const struct module *module, PyObject *codes);

/* A function that takes a new definition, once for each qualified name. */
int note_function(struct job *job, const struct module *module, PyObject *function,
		  PyObject *new_code);

/* The methods and inner classes that a changed class of the module gets or loses. -1 with an
 * exception. */
int note_methods(struct job *job, const struct module *module, PyObject *class);

/* A name, and the value that the item speaks of, which may be NULL. */
void note_name(struct job *job, const struct module *module, PyObject *name, PyObject *value,
	       enum wire_record_kind kind, enum wire_action action);

/* The word for a thing that is bound to a name of a module. */
enum wire_record_kind note_kind_of(PyObject *value);

/* How many items a builtin container holds; 0 for all else. */
uint64_t note_size(const struct world *world, PyObject *value);

/* What can change under a name without the name being bound anew. */
int note_is_state(const struct world *world, PyObject *value);

#endif
