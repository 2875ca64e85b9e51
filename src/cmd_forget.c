/* SPDX-License-Identifier: MIT
 *
 * pyhotpatch forget PID...: remove baselines and records.
 */
#include "src/commands.h"
#include "src/operation.h"

int cmd_forget(const struct options *options)
{
	const struct request request = {.command = WIRE_COMMAND_FORGET};

	return operation_run(options, &request);
}
