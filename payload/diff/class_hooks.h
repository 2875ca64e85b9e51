/* SPDX-License-Identifier: MIT
 *
 * What makes classes and changed: it is not called for those that there are.
 */
#ifndef PAYLOAD_DIFF_CLASS_HOOKS_H
#define PAYLOAD_DIFF_CLASS_HOOKS_H

#include "payload/job/job.h"

/* Warns of a method that changed, or is new, if classes are made by it and there are some.
 * Before new code runs: that makes others. */
void class_hooks_note(struct job *job, const struct module *module, PyObject *qualname);

#endif
