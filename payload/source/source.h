/* SPDX-License-Identifier: MIT
 *
 * Sources: read and compiled, never executed.
 */
#ifndef PAYLOAD_SOURCE_SOURCE_H
#define PAYLOAD_SOURCE_SOURCE_H

#include "payload/job/job.h"

/* Fills module->source through the module's own loader: bytes, or str. 1 when there is none any
 * more; -1 with an exception. */
int source_read(struct job *job, struct module *module);

/* Has the module's loader, which is not one of the import system's, a way of its own to the
 * source? If not, its file is all that there is. */
int source_has_way(const struct module *module);

/* Fills module->source and module->code through the module's own loader. 1 when there is no
 * source any more; -1 with an exception of the new source's (SyntaxError, decoding, reading).
 */
int source_compile(struct job *job, struct module *module);

/* The syntax tree of module->source. New reference. */
PyObject *source_tree(struct job *job, const struct module *module);

/* Fills module->run_code with all of module->code, but for __main__: the rule of --rerun. */
int source_choose_statements(struct job *job, struct module *module);

/* A statement of a script that changed: may it run, or would it start the script again? */
int source_may_run_again(struct job *job, const struct module *module, PyObject *node);

/* The syntax tree of a text of our own. New reference. */
PyObject *source_parse(struct job *job, const char *text);

/* Compiles a syntax tree as the module's source. New reference. */
PyObject *source_compile_tree(struct job *job, const struct module *module, PyObject *tree);

/* idle_let_run() while selecting, with warnings about syntax as the program has them. */
void source_let_run(struct job *job);

/* Compiling must not print warnings on the program's stderr: between these two, warnings about
 * syntax are ignored. The first gives what the second needs. */
PyObject *source_quiet(struct job *job);
void source_loud(PyObject *quiet);

#endif
