/* SPDX-License-Identifier: MIT
 *
 * A selection of statements in the making: between statements.c and its parts.
 */
#ifndef PAYLOAD_SELECTION_H
#define PAYLOAD_SELECTION_H

#include "payload/body.h"
#include "payload/job.h"

struct selection {
	struct job *job;       /* borrowed */
	struct module *module; /* borrowed */
	struct tokens tokens;
	struct body body;
};

/* --- statement_definition.c --- */

/* A definition that changed: what of it need not run, and what a class keeps. 1 when it turns
 * out to be the same. */
int selection_refine(struct selection *s, const struct group *group, PyObject *node);

/* The function of this module inside `value`, whatever is wrapped around it: with `code`, or
 * called `name` when `code` is NULL. New reference; NULL without exception when there is none.
 */
PyObject *selection_inner(const struct selection *s, PyObject *value, PyObject *code,
			  PyObject *name);

/* Keeps attributes of the class: adds the set to module->kept. */
int selection_keep(struct selection *s, PyObject *qualname, PyObject *names);

/* --- statement_infer.c --- */

/* Without old code: judges each group by what is there now. */
int selection_infer(struct selection *s);

#endif
