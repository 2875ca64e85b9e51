/* SPDX-License-Identifier: MIT
 *
 * Which top-level statements of a changed module run again: those that changed and new ones.
 */
#ifndef PAYLOAD_DIFF_STATEMENTS_H
#define PAYLOAD_DIFF_STATEMENTS_H

#include "payload/job/job.h"

/* Makes module->run_code of the statements that changed, and what goes with it. 1 when the
 * instructions of this version are not known; -1 with an exception. */
int statements_select(struct job *job, struct module *module);

/* After the shadow run: what a definition without its decorators made becomes comparable with
 * the rest; what an unchanged import gave anew without need is forgotten. */
int statements_settle(struct job *job, struct module *module);

#endif
