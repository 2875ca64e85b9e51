/* SPDX-License-Identifier: MIT
 *
 * Modules whose source did not change, but that have to follow one which did: they become
 * modules of the job, none of whose statements changed.
 */
#ifndef PAYLOAD_DIFF_UNCHANGED_H
#define PAYLOAD_DIFF_UNCHANGED_H

#include "payload/job/job.h"

/* One that sys.modules has under the key, the last of the job's then; it may move when others
 * are added. NULL without an exception when its source is nowhere. */
struct module *unchanged_add(struct job *job, PyObject *key, PyObject *object);

/* Is what runs of it its source? Reads and compiles that. */
int unchanged_is_source(struct job *job, struct module *module);

/* The last one. */
void unchanged_drop(struct job *job);

#endif
