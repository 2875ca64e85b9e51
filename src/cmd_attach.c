/* SPDX-License-Identifier: MIT
 *
 * pyhotpatch attach PID...: apply what changed on disk.
 */
#include "src/commands.h"
#include "src/operation.h"

int cmd_attach(const struct options *options)
{
	const struct request request = operation_attach_request(options);

	return operation_run(options, &request);
}
