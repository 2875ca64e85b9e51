/* SPDX-License-Identifier: MIT
 *
 * pyhotpatch rollback PID...: take attaches back; with --list only show them.
 */
#include "src/commands.h"
#include "src/operation.h"

int cmd_rollback(const struct options *options)
{
	const struct request request = {
		.command = options->list ? WIRE_COMMAND_STATUS : WIRE_COMMAND_ROLLBACK,
		.flags = options->has_to ? WIRE_TO : 0,
		.argument = options->to,
	};

	return operation_run(options, &request);
}
