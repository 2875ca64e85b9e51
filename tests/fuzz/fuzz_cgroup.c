/* SPDX-License-Identifier: MIT
 *
 * Any text as /proc/PID/cgroup, a unit's name before it on the first line.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "inject/proc/cgroup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t name = 0, path_len = 0;
	const char *path = NULL;
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	while (name < size && data[name] != '\n')
		name++;
	memcpy(text, data, size);
	text[name] = '\0';
	if (name < size && text[0] &&
	    cgroup_find_unit(&path, &path_len, text + name + 1, size - name - 1, text) &&
	    (!path_len || path + path_len > text + size))
		abort();
	free(text);
	return 0;
}
