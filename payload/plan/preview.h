/* SPDX-License-Identifier: MIT
 *
 * What an attach does to a module's statements, names and functions, as far as it can be told
 * without running anything.
 */
#ifndef PAYLOAD_PLAN_PREVIEW_H
#define PAYLOAD_PLAN_PREVIEW_H

#include "payload/job/job.h"

/* Records what attach would do to a changed module. Adds to `codes` which code would become
 * which. */
int preview_module(struct job *job, struct module *module, PyObject *codes);

#endif
