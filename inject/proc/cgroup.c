/* SPDX-License-Identifier: MIT
 *
 * See cgroup.h. A line is "number:controllers:path" (cgroups(7)); "0::" is the unified
 * hierarchy, "name=systemd" the one that systemd keeps for itself where there are several.
 */
#include "inject/proc/cgroup.h"

#include <string.h>

#include "inject/proc/scan.h"

static bool begins(const struct scan *s, const char *with)
{
	size_t len = strlen(with);

	return (size_t)(s->end - s->at) >= len && !memcmp(s->at, with, len);
}

/* Leaves the path of a line that systemd's groups are in. */
static bool skip_to_path(struct scan *line)
{
	static const char systemd[] = ":name=systemd:";
	uint64_t number;

	if (!scan_number(line, 10, &number))
		return false;
	if (number == 0 && begins(line, "::"))
		line->at += 2;
	else if (begins(line, systemd))
		line->at += sizeof(systemd) - 1;
	else
		return false;
	return true;
}

/* A name that the kernel might take for one of its own files has an underscore before it
 * (systemd, src/basic/cgroup-util.c, cg_escape). */
static bool is_named(const char *part, size_t len, const char *unit)
{
	size_t unit_len = strlen(unit);

	if (len == unit_len + 1 && part[0] == '_') {
		part++;
		len--;
	}
	return len == unit_len && !memcmp(part, unit, len);
}

/* The length of the path up to the end of the folder that is the unit's; 0 when none is. */
static size_t find_folder(const struct scan *path, const char *unit)
{
	const char *at = path->at;

	while (at < path->end) {
		const char *part = at + (*at == '/');
		const char *slash = memchr(part, '/', (size_t)(path->end - part));

		at = slash ? slash : path->end;
		if (is_named(part, (size_t)(at - part), unit))
			return (size_t)(at - path->at);
	}
	return 0;
}

static size_t find_path(const struct scan *path, const char *unit)
{
	size_t len = strlen(unit);

	if (len < 2 || !begins(path, unit))
		return 0;
	return path->at + len == path->end || path->at[len] == '/' ? len : 0;
}

bool cgroup_find_unit(const char **path, size_t *path_len, const char *text, size_t len,
		      const char *unit)
{
	struct scan rest = scan_of(text, len), line;

	while (scan_line(&rest, &line)) {
		if (!skip_to_path(&line))
			continue;
		*path_len = unit[0] == '/' ? find_path(&line, unit) : find_folder(&line, unit);
		*path = line.at;
		if (*path_len)
			return true;
	}
	return false;
}
