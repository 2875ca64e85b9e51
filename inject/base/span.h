/* SPDX-License-Identifier: MIT
 *
 * Borrowed bytes with their length, and the only reader of foreign bytes: it never reads past
 * the end, and once it has failed it stays failed and yields zeros.
 */
#ifndef INJECT_BASE_SPAN_H
#define INJECT_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const uint8_t *data;
	size_t len;
};

struct reader {
	struct span span;
	size_t at;
	bool failed;
};

static inline struct reader reader_of(struct span span)
{
	return (struct reader){.span = span};
}

/* Copy the next len bytes to out and step over them; on failure out is zeroed. */
static inline bool reader_take(struct reader *r, void *out, size_t len)
{
	if (r->failed || len > r->span.len - r->at) {
		r->failed = true;
		memset(out, 0, len);
		return false;
	}
	memcpy(out, r->span.data + r->at, len);
	r->at += len;
	return true;
}

/* A NUL-terminated string that lies wholly inside the span, borrowed from it; NULL on failure.
 */
static inline const char *reader_take_string(struct reader *r)
{
	const uint8_t *from, *nul;

	if (r->failed)
		return NULL;
	from = r->span.data + r->at;
	nul = r->at < r->span.len ? memchr(from, 0, r->span.len - r->at) : NULL;
	if (!nul) {
		r->failed = true;
		return NULL;
	}
	r->at += (size_t)(nul - from) + 1;
	return (const char *)from;
}

#endif
