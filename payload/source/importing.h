/* SPDX-License-Identifier: MIT
 *
 * Modules that another thread is importing at this moment: half of their names are not there
 * yet, and what has not run must not be taken for what need not run again.
 */
#ifndef PAYLOAD_SOURCE_IMPORTING_H
#define PAYLOAD_SOURCE_IMPORTING_H

#include "payload/job/job.h"

/* Whether one of the selected modules, which changed, is being imported. */
int importing_any(const struct job *job);

/* Until when to wait for that. A program may be started by an import that never ends: it is
 * served as it is then. */
int64_t importing_limit(const struct job *job);

#endif
