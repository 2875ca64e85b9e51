/* SPDX-License-Identifier: MIT
 *
 * Modules that another thread is importing at this moment: half of their names are not there
 * yet, and what has not run must not be taken for what need not run again.
 */
#ifndef PAYLOAD_SOURCE_IMPORTING_H
#define PAYLOAD_SOURCE_IMPORTING_H

#include "payload/job/job.h"

/* Whether another thread is in the module's code for the first time. */
int importing_is(const struct world *world, const struct module *module);

/* Whether one of the selected modules, which changed, is being imported, or was when it was
 * found: others run while it is looked at. */
int importing_any(const struct job *job);

/* Until when to wait for that. A program may be started by an import that never ends: it is
 * served as it is then. */
int64_t importing_limit(const struct job *job);

#endif
