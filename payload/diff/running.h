/* SPDX-License-Identifier: MIT
 *
 * What runs now: the old source is gone, so it is found from what is alive.
 */
#ifndef PAYLOAD_DIFF_RUNNING_H
#define PAYLOAD_DIFF_RUNNING_H

#include "payload/job/job.h"

/* Decides module->is_changed for a module whose new code is known, and fills module->old_code
 * when what runs can be known for sure. 1 when the source is not the module's: a record says
 * so.
 */
int running_compare(struct job *job, struct module *module);

#endif
