/* SPDX-License-Identifier: MIT
 *
 * Classes of other modules below those that are made again.
 */
#ifndef PAYLOAD_DIFF_CLASSES_BELOW_H
#define PAYLOAD_DIFF_CLASSES_BELOW_H

#include "payload/job/job.h"

/* Which statements of a module run. -1 with an exception. */
typedef int (*chooser)(struct job *job, struct module *module);

/* Has the statements of the job's modules chosen, and of those that it adds for such classes.
 * -1 with an exception. */
int classes_below_choose(struct job *job, chooser choose);

#endif
