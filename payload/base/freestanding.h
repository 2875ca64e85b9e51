/* SPDX-License-Identifier: MIT
 *
 * What little of <string.h> the payload has.
 */
#ifndef PAYLOAD_BASE_FREESTANDING_H
#define PAYLOAD_BASE_FREESTANDING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *text);

/* -fno-builtin would make a call of each copy of one word. */
#define memcpy(to, from, size) __builtin_memcpy(to, from, size)

static inline int text_equal(const char *a, const char *b)
{
	size_t length = strlen(a);

	return length == strlen(b) && memcmp(a, b, length) == 0;
}

/* Of strings one behind the other, "a\0" "b\0", the next; the last one is empty. An array of
 * pointers would be eight bytes more for each. */
static inline const char *text_next(const char *text)
{
	return text + strlen(text) + 1;
}

/* Is the text one of the words, which a space or a dot stands between? */
int text_is_word(const char *text, const char *words);

#endif
