/* SPDX-License-Identifier: MIT
 *
 * pyhotpatch status PID...: what was applied, and who still runs old code.
 */
#include "src/commands.h"
#include "src/operation.h"

int cmd_status(const struct options *options)
{
	const struct request request = {.command = WIRE_COMMAND_STATUS};

	return operation_run(options, &request);
}
