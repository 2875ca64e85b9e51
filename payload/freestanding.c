/* SPDX-License-Identifier: MIT
 *
 * The few memory functions that the compiler calls on its own. They stay inside the image: the
 * payload has no libc. Built without the loop idiom that would turn each into a call of itself.
 */
#include "payload/freestanding.h"

#undef memcpy
void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
	char *d = to;
	const char *s = from;

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
	char *d = to;

	while (size--)
		*d++ = (char)byte;
	return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const unsigned char *x = a, *y = b;

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
