/* SPDX-License-Identifier: MIT
 *
 * pyhotpatch attach PID...: apply what changed on disk.
 */
#include "src/commands.h"
#include "src/operation.h"

int cmd_attach(const struct options *options)
{
	const struct request request = {
		.command = WIRE_COMMAND_ATTACH,
		.flags = (options->rerun ? WIRE_RERUN : 0) |
			 (options->idle_ns >= 0 ? WIRE_WHEN_IDLE : 0),
		.argument = options->idle_ns > 0
				    ? (uint32_t)((options->idle_ns + 999999) / 1000000)
				    : 0,
		.modules = options->modules,
		.module_count = options->module_count,
		.paths = (const char *const *)options->paths,
		.path_count = options->path_count,
	};

	return operation_run(options, &request);
}
