/* SPDX-License-Identifier: MIT
 *
 * pyhotpatch plan PID...: what attach would do, with the same options.
 */
#include "src/commands.h"
#include "src/operation.h"

int cmd_plan(const struct options *options)
{
	const struct request request = {
		.command = WIRE_COMMAND_PLAN,
		.flags = options->rerun ? WIRE_RERUN : 0,
		.modules = options->modules,
		.module_count = options->module_count,
		.paths = (const char *const *)options->paths,
		.path_count = options->path_count,
	};

	return operation_run(options, &request);
}
