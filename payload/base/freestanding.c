/* SPDX-License-Identifier: MIT
 *
 * The few memory functions that the compiler calls on its own. They stay inside the image: the
 * payload has no libc. Built without the loop idiom that would turn each into a call of itself.
 * They go by words: a byte at a time, clearing structs was a sixth of looking through modules.
 */
#include "payload/base/freestanding.h"

#include <stdint.h>

#undef memcpy
void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
	char *d = to;
	const char *s = from;

	for (; size >= sizeof(uint64_t); size -= sizeof(uint64_t)) {
		__builtin_memcpy(d, s, sizeof(uint64_t));
		d += sizeof(uint64_t);
		s += sizeof(uint64_t);
	}
	while (size--)
		*d++ = *s++;
	return to;
}

void *memmove(void *to, const void *from, size_t size)
{
	char *d = to;
	const char *s = from;

	if (d <= s)
		return memcpy(to, from, size);
	while (size--)
		d[size] = s[size];
	return to;
}

void *memset(void *to, int byte, size_t size)
{
	const uint64_t word = (unsigned char)byte * 0x0101010101010101u;
	char *d = to;

	for (; size >= sizeof(word); size -= sizeof(word), d += sizeof(word))
		__builtin_memcpy(d, &word, sizeof(word));
	while (size--)
		*d++ = (char)byte;
	return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const unsigned char *x = a, *y = b;

	for (uint64_t v, w; size >= sizeof(v);
	     size -= sizeof(v), x += sizeof(v), y += sizeof(v)) {
		__builtin_memcpy(&v, x, sizeof(v));
		__builtin_memcpy(&w, y, sizeof(w));
		if (v != w)
			break;
	}
	for (; size--; x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t strlen(const char *text)
{
	size_t length = 0;

	while (text[length])
		length++;
	return length;
}

int text_is_word(const char *text, const char *words)
{
	size_t length = strlen(text), part = 0;

	for (;; words += part + 1) {
		for (part = 0; words[part] && words[part] != ' ' && words[part] != '.';)
			part++;
		if (part == length && !memcmp(words, text, length))
			return 1;
		if (!words[part])
			return 0;
	}
}
