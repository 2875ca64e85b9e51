/* SPDX-License-Identifier: MIT
 *
 * A module's own say in its reload: __reload__(old).
 */
#ifndef PAYLOAD_SHADOW_RELOAD_HOOK_H
#define PAYLOAD_SHADOW_RELOAD_HOOK_H

#include "payload/job/job.h"

/* Does the new source of the module have one? -1 with an exception. */
int reload_hook_is_in_source(const struct world *world, const struct module *module);

/* Calls it, where the new source has it, with a copy of the namespace from before, once the
 * bodies have run; what it binds is bound by the commit. -1 with the exception that it raised.
 */
int reload_hooks_call(struct job *job);

#endif
