/* SPDX-License-Identifier: MIT
 *
 * Whether a path may lead to another file than it did, although the file itself is old: a
 * release that was unpacked before the process began, and switched to since.
 */
#ifndef PAYLOAD_WAY_H
#define PAYLOAD_WAY_H

#include "payload/py.h"

/* 1 when a symbolic link on the way to `path` was made or moved since, or a folder renamed; -1
 * with an exception. `known` is a dict of ours that remembers the folders. */
int way_is_switched(PyObject *known, const char *path, int64_t since_ns);

#endif
