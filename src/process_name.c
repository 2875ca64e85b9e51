/* SPDX-License-Identifier: MIT */
#include "src/process_name.h"

#include <stdio.h>

const char *process_name(char out[PROCESS_NAME_MAX], pid_t pid, pid_t inner_pid)
{
	if (inner_pid)
		snprintf(out, PROCESS_NAME_MAX, "process %d (pid %d in its container)",
			 (int)pid, (int)inner_pid);
	else
		snprintf(out, PROCESS_NAME_MAX, "process %d", (int)pid);
	return out;
}
