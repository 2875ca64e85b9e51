/* SPDX-License-Identifier: MIT
 *
 * Whether a path may lead to another file than it did, although the file itself is old: a
 * release that was unpacked before the process began, and switched to since.
 */
#ifndef PAYLOAD_SOURCE_WAY_H
#define PAYLOAD_SOURCE_WAY_H

#include "payload/base/py.h"

#define WAY_PATH_SIZE 4096 /* PATH_MAX of include/uapi/linux/limits.h */

struct way {
	PyObject *known; /* dict of ours: folder -> was it switched */
	int64_t since_ns;
	int steps;
	size_t kept_length;
	char kept[WAY_PATH_SIZE]; /* the last folder that was not: the next file lies there */
};

/* 1 when a symbolic link on the way to `path`, so many bytes, was made or moved since, or a
 * folder renamed; -1 with an exception. `is_link`: there is one at `path` itself. */
int way_is_switched(struct way *way, const char *path, size_t length, int is_link);

#endif
