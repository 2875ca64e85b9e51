/* SPDX-License-Identifier: MIT
 *
 * From 3.14 on a module has the numbers of those of its annotated statements that were executed
 * (PEP 649): what computes its annotations later asks for them.
 */
#ifndef PAYLOAD_DIFF_EXECUTED_ANNOTATIONS_H
#define PAYLOAD_DIFF_EXECUTED_ANNOTATIONS_H

#include "payload/diff/body.h"
#include "payload/job/job.h"

#define EXECUTED_ANNOTATIONS "__conditional_annotations__"

/* While selecting: notes which annotated statements that do not run again were executed. */
int executed_annotations_note(struct job *job, struct module *module, const struct body *body);

/* After the run: adds them to those that ran. */
int executed_annotations_settle(const struct world *world, struct module *module);

#endif
