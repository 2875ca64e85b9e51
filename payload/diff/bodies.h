/* SPDX-License-Identifier: MIT
 *
 * Modules of which nothing but the bodies of functions changed: nothing of them runs.
 */
#ifndef PAYLOAD_DIFF_BODIES_H
#define PAYLOAD_DIFF_BODIES_H

#include "payload/job/job.h"

/* Lists the functions that changed as (qualified name, new code). 1 when putting their new code
 * in the place of the old one is all that the new source says; 0; -1 with an exception. */
int bodies_differ_alone(const struct world *world, const struct module *module, PyObject **out);

#endif
