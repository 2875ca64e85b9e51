/* SPDX-License-Identifier: MIT
 *
 * Whether a module changed, when the code that made it cannot be had: by its live objects
 * alone. statement_infer.c answers it, as it judges each statement.
 */
#ifndef PAYLOAD_DIFF_INFER_H
#define PAYLOAD_DIFF_INFER_H

#include "payload/job/job.h"

/* Sets module->is_changed. functions_agree: each live function has its code in the new source.
 */
int infer_change(struct job *job, struct module *module, int functions_agree);

#endif
