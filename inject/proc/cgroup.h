/* SPDX-License-Identifier: MIT
 *
 * Which systemd unit a process belongs to: its control group says so, a folder named like the
 * unit, in the unified hierarchy (v2) as in systemd's own (v1).
 */
#ifndef INJECT_PROC_CGROUP_H
#define INJECT_PROC_CGROUP_H

#include <stdbool.h>
#include <stddef.h>

/* `unit` is a name ("shop.service") or, beginning with a slash, the group's whole path. True
 * when the text of /proc/PID/cgroup has it; *path then is the unit's own group in `text`, of
 * *path_len bytes. */
bool cgroup_find_unit(const char **path, size_t *path_len, const char *text, size_t len,
		      const char *unit);

#endif
