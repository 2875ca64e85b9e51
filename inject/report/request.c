/* SPDX-License-Identifier: MIT
 *
 * What is asked of the payload, as bytes: a wire_request and the module names behind it. The
 * payload checks it as strictly as its answer is checked here.
 */
#include <stdlib.h>
#include <string.h>

#include "inject/report/report.h"

/* More names than this are a mistake, and the request shares a few pages with the channel. */
#define REQUEST_STRINGS_MAX (256u << 10)

static int strings_size(size_t *out, const char *const *modules, size_t count,
			struct hp_err *err)
{
	size_t size = 0;

	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(modules[i]);

		if (!len)
			return hp_err_set(err, HP_USAGE, 0, "a module name is empty");
		if (len >= REQUEST_STRINGS_MAX - size)
			return hp_err_set(err, HP_USAGE, 0, "too many module names");
		size += len + 1;
	}
	*out = size;
	return 0;
}

int request_encode(uint8_t **out, size_t *len_out, const struct request *request,
		   struct hp_err *err)
{
	struct wire_request header = {
		.magic = WIRE_MAGIC,
		.version = WIRE_VERSION,
		.command = request->command,
		.flags = request->flags,
		.argument = request->argument,
		.module_count = (uint32_t)request->module_count,
	};
	size_t size = 0, at = sizeof(header);
	uint8_t *bytes;

	if (strings_size(&size, request->modules, request->module_count, err) < 0)
		return -1;
	header.strings_size = (uint32_t)size;
	bytes = malloc(sizeof(header) + size);
	if (!bytes)
		return hp_err_set(err, HP_SYSTEM, 0, "no memory for a request of %zu bytes",
				  size);
	memcpy(bytes, &header, sizeof(header));
	for (size_t i = 0; i < request->module_count; i++) {
		size_t len = strlen(request->modules[i]) + 1;

		memcpy(bytes + at, request->modules[i], len);
		at += len;
	}
	*out = bytes;
	*len_out = at;
	return 0;
}
