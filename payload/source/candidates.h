/* SPDX-License-Identifier: MIT
 *
 * Which modules may have another source than what runs, going by stat alone.
 */
#ifndef PAYLOAD_SOURCE_CANDIDATES_H
#define PAYLOAD_SOURCE_CANDIDATES_H

#include "payload/job/job.h"

/* Fills job->modules, each with what origin_find() says of it. -1 with an exception. */
int candidates_find(struct job *job);

/* Notes why a module that was asked for, or whose file changed, is not looked at. */
void candidates_skip(struct job *job, const struct module *module, enum wire_text wording,
		     PyObject *arguments);

#endif
