/* SPDX-License-Identifier: MIT
 *
 * Which modules have a source that is not what runs.
 */
#ifndef PAYLOAD_SELECT_H
#define PAYLOAD_SELECT_H

#include "payload/job.h"

void modules_fini(struct modules *modules);
void module_fini(struct module *module);

/* A new module at the end, all zero; NULL with an exception. */
struct module *modules_add(struct modules *modules);

/* Reads and compiles them all, and keeps those that changed. -1: job->status is set, or an
 * exception. */
int select_changed(struct job *job);

#endif
