/* SPDX-License-Identifier: MIT
 *
 * /proc/PID/maps as data. Sorted by address, never overlapping: a text that says otherwise is
 * refused, because what a target's kernel shows is not to be trusted when it may be a fake.
 */
#ifndef INJECT_PROC_MAPS_H
#define INJECT_PROC_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inject/base/addr.h"
#include "inject/base/err.h"

enum map_prot {
	MAP_READ = 1,
	MAP_WRITE = 2,
	MAP_EXEC = 4,
	MAP_IS_SHARED = 8,
};

struct map {
	remote_addr start, end;
	uint64_t file_offset;
	uint32_t prot; /* enum map_prot */
	uint32_t dev_major, dev_minor;
	uint64_t inode;
	const char *path; /* borrowed from maps.text; "" when anonymous, "[stack]" and so on */
	bool deleted;     /* " (deleted)" was cut from the path */
};

struct maps {
	struct map *items;
	size_t count;
	char *text; /* owned; what the paths point into */
};

/* Parse text (length len; need not be NUL-terminated). */
HP_MUST_CHECK int maps_parse(struct maps *out, const char *text, size_t len,
			     struct hp_err *err);
/* Read /proc through procfd, a descriptor of the process's folder in /proc. */
HP_MUST_CHECK int maps_read(struct maps *out, int procfd, struct hp_err *err);
void maps_fini(struct maps *maps);

/* The mapping that holds addr, or NULL. */
const struct map *maps_find(const struct maps *maps, remote_addr addr);

#endif
