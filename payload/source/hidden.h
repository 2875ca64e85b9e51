/* SPDX-License-Identifier: MIT
 *
 * Modules that live on although sys.modules does not lead to them: dropped from it, replaced in
 * it (by an instance, by a new import), or never put there, as plug-ins often are.
 */
#ifndef PAYLOAD_SOURCE_HIDDEN_H
#define PAYLOAD_SOURCE_HIDDEN_H

#include "payload/base/pointer_map.h"
#include "payload/job/job.h"

/* Calls `found` with each namespace of such a module and a function that was compiled from its
 * file. `known` holds the namespaces of the others, and then those of these, too. */
int hidden_find(struct job *job, struct pointer_map *known,
		int (*found)(void *context, PyObject *live, PyObject *function), void *context);

#endif
