/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "inject/proc/procfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proc_status status;
	struct proc_stat stat;
	struct hp_err err;

	if (proc_status_parse(&status, (const char *)data, size, &err) == 0 &&
	    (strnlen(status.name, sizeof(status.name)) == sizeof(status.name) ||
	     status.nspid_count > sizeof(status.nspid) / sizeof(*status.nspid) ||
	     status.tgid < 0))
		abort();
	if (proc_stat_parse(&stat, (const char *)data, size, &err) < 0)
		return 0;
	return 0;
}
