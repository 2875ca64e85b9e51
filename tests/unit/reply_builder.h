/* SPDX-License-Identifier: MIT
 *
 * Replies as the payload writes them, for the tests of whoever reads them.
 */
#ifndef TESTS_UNIT_REPLY_BUILDER_H
#define TESTS_UNIT_REPLY_BUILDER_H

#include <stdint.h>
#include <string.h>

#include "inject/base/span.h"
#include "payload/wire.h"

struct reply_builder {
	struct wire_reply header;
	uint8_t bytes[1 << 16];
	size_t len; /* header included */
};

static inline void reply_begin(struct reply_builder *b, enum wire_status status)
{
	*b = (struct reply_builder){
		.header = {.magic = WIRE_MAGIC, .version = WIRE_VERSION, .status = status},
		.len = sizeof(struct wire_reply),
	};
}

static inline void reply_put_string(struct reply_builder *b, const char *s)
{
	memcpy(b->bytes + b->len, s, strlen(s) + 1);
	b->len += strlen(s) + 1;
}

/* `fixed` gives kind, action, line and count; the size is filled in. */
static inline void reply_add(struct reply_builder *b, struct wire_record fixed,
			     const char *module, const char *name, const char *text)
{
	size_t start = b->len;

	b->len += sizeof(fixed);
	reply_put_string(b, module);
	reply_put_string(b, name);
	reply_put_string(b, text);
	while (b->len % 8)
		b->bytes[b->len++] = 0;
	fixed.size = (uint32_t)(b->len - start);
	memcpy(b->bytes + start, &fixed, sizeof(fixed));
	b->header.record_count++;
	b->header.used += fixed.size;
}

static inline struct span reply_end(struct reply_builder *b)
{
	memcpy(b->bytes, &b->header, sizeof(b->header));
	return (struct span){b->bytes, b->len};
}

#endif
