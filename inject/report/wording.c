/* SPDX-License-Identifier: MIT */
#include "inject/report/wording.h"

#include <string.h>

static const char *const texts[] = {
#define WIRE_TEXT(name, words) [WIRE_TEXT_##name] = (words),
	WIRE_TEXTS(WIRE_TEXT)
#undef WIRE_TEXT
};

size_t wording_longest(void)
{
	size_t longest = 0;

	for (size_t i = 0; i < WIRE_TEXT_COUNT; i++)
		if (strlen(texts[i]) > longest)
			longest = strlen(texts[i]);
	return longest;
}

size_t wording_expand(char *out, enum wire_text text, const char *arguments,
		      enum text_shape shape)
{
	size_t used = 0;

	for (const char *at = texts[text]; *at; at++) {
		if (*at != '%') {
			out[used++] = *at;
			continue;
		}
		const char *next = strchr(at + 1, '%') ? strchr(arguments, *WIRE_NEXT) : NULL;
		size_t len = next ? (size_t)(next - arguments) : strlen(arguments);

		used += text_neutralize(out + used, arguments, len, shape);
		arguments += next ? len + 1 : len;
	}
	out[used] = '\0';
	return used;
}
