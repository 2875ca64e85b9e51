/* SPDX-License-Identifier: MIT
 *
 * Modules that live on although sys.modules does not lead to them: dropped from it, replaced in
 * it (by an instance, by a new import), or never put there, as plug-ins often are.
 */
#ifndef PAYLOAD_SOURCE_HIDDEN_H
#define PAYLOAD_SOURCE_HIDDEN_H

#include "payload/base/pointer_map.h"
#include "payload/job/job.h"

struct hidden {
	struct world *world; /* borrowed, as the next */
	struct pointer_map *known;
	PyObject *last;         /* of them: functions of one namespace lie together */
	struct pointer_map met; /* functions -> their namespaces, which are none of these */
};

/* Looks through the heap, and lets others run meanwhile. `modules` is a dict of ours of those
 * that sys.modules has; `known` holds their namespaces. -1 with an exception; hidden_fini is
 * due in either case. */
int hidden_find(struct hidden *out, struct job *job, PyObject *modules,
		struct pointer_map *known);

/* Calls `found` with each namespace of such a module and a function that was compiled from its
 * file; puts it among the known. */
int hidden_tell(const struct hidden *hidden,
		int (*found)(void *context, PyObject *live, PyObject *function), void *context);
void hidden_fini(struct hidden *hidden);

#endif
