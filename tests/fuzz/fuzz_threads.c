/* SPDX-License-Identifier: MIT
 *
 * Any text as a line of /proc/PID/task/TID/syscall.
 */
#include <stdlib.h>
#include <string.h>

#include "inject/session/threads.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct safepoint_stop place = {0};
	char *line = malloc(size + 1);

	if (!line)
		return 0;
	memcpy(line, data, size);
	line[size] = '\0';
	if (thread_rank_of(line) > RANK_INTERRUPTED)
		abort();
	thread_place_of(&place, line);
	free(line);
	return 0;
}
