/* SPDX-License-Identifier: MIT
 *
 * Any code, and any stack: it ends, and what it says to be the caller lies further up.
 */
#include <stdlib.h>
#include <string.h>

#include "inject/unwind/epilogue.h"

struct bytes {
	const uint8_t *data;
	size_t size;
};

static int read_bytes(void *context, uint64_t addr, void *out, size_t len)
{
	const struct bytes *bytes = context;

	if (addr > bytes->size || len > bytes->size - addr)
		return -1;
	memcpy(out, bytes->data + addr, len);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes bytes = {data, size};
	struct epilogue at = {.regs = {[EPILOGUE_RSP] = size / 2}};

	if (epilogue_follow(&at, read_bytes, &bytes) && at.regs[EPILOGUE_RSP] <= size / 2)
		abort();
	return 0;
}
