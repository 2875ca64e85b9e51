/* SPDX-License-Identifier: MIT
 *
 * What is asked of the payload, as bytes: a wire_request, the module names and the paths behind
 * it.
 */
#include <stdlib.h>
#include <string.h>

#include "inject/report/report.h"

/* More than this are a mistake, and the request shares a few pages with the channel. */
#define REQUEST_STRINGS_MAX (256u << 10)

static int add_size(size_t *size, const char *const *strings, size_t count, struct hp_err *err)
{
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(strings[i]);

		if (!len)
			return hp_err_set(err, HP_USAGE, 0,
					  "the name of a module or path is empty");
		if (len >= REQUEST_STRINGS_MAX - *size)
			return hp_err_set(err, HP_USAGE, 0, "too many modules and paths");
		*size += len + 1;
	}
	return 0;
}

static uint8_t *put(uint8_t *at, const char *const *strings, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(strings[i]) + 1;

		memcpy(at, strings[i], len);
		at += len;
	}
	return at;
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
		.path_count = (uint32_t)request->path_count,
	};
	size_t size = 0;
	uint8_t *bytes, *at;

	if (add_size(&size, request->modules, request->module_count, err) < 0 ||
	    add_size(&size, request->paths, request->path_count, err) < 0)
		return -1;
	header.strings_size = (uint32_t)size;
	bytes = malloc(sizeof(header) + size);
	if (!bytes)
		return hp_err_set(err, HP_SYSTEM, 0, "no memory for a request of %zu bytes",
				  size);
	memcpy(bytes, &header, sizeof(header));
	at = put(bytes + sizeof(header), request->modules, request->module_count);
	at = put(at, request->paths, request->path_count);
	*out = bytes;
	*len_out = (size_t)(at - bytes);
	return 0;
}
