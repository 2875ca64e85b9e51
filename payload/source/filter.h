/* SPDX-License-Identifier: MIT
 *
 * Which modules were asked for, by name or by the place of their file.
 */
#ifndef PAYLOAD_SOURCE_FILTER_H
#define PAYLOAD_SOURCE_FILTER_H

#include "payload/wire.h"

struct filter {
	const char *modules, *paths; /* borrowed from the request, as are all strings */
	uint32_t module_count, path_count;
	struct place *places; /* what each path is now, owned */
};

/* -1 with an exception. filter_fini is due in either case, and in the same interpreter. */
int filter_init(struct filter *out, const struct wire_request *request);
void filter_fini(struct filter *filter);

/* 1 when the module called `name`, whose file is `path` as the system takes it, was asked for.
 */
int filter_wants(const struct filter *filter, const char *name, const char *path);

/* 1 when the module was asked for by its name. */
int filter_names(const struct filter *filter, const char *name);

#endif
