/* SPDX-License-Identifier: MIT
 *
 * Where the source of a module is, and who reads it.
 */
#ifndef PAYLOAD_SOURCE_ORIGIN_H
#define PAYLOAD_SOURCE_ORIGIN_H

#include "payload/job/job.h"

/* Fills module->file, path, loader and kind from its namespace, module->live, or from what the
 * import system would put there, module->place. WIRE_TEXT_NONE; or why it has no source that
 * could be looked at, when module->path alone may be there. No exception is left. */
enum wire_text origin_find(const struct job *job, struct module *module);

/* An attribute of the __spec__ in a module's namespace; NULL without exception when it has
 * none, or a spec that is not the import system's. New reference. */
PyObject *origin_of_spec(const struct world *world, PyObject *namespace, enum world_name name);

#endif
