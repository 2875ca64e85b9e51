/* SPDX-License-Identifier: MIT
 *
 * An allocator to be preloaded, as jemalloc and its like are; behind it is glibc's.
 */
#include <stddef.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void __libc_free(void *old);
void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *old, size_t size);
void free(void *old);

void *malloc(size_t size)
{
	return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return __libc_realloc(old, size);
}

void free(void *old)
{
	__libc_free(old);
}
