/* SPDX-License-Identifier: MIT
 *
 * A hash of a symbol's name, for the open tables that names are looked up in.
 */
#ifndef INJECT_BASE_NAME_HASH_H
#define INJECT_BASE_NAME_HASH_H

#include <stdint.h>

/* Bernstein's, as in .gnu.hash, where it need not be computed again: a shift and two additions
 * a byte, and good on names of C. */
static inline uint32_t gnu_hash(const char *name)
{
	uint32_t hash = 5381;

	for (const char *c = name; *c; c++)
		hash = (hash << 5) + hash + (unsigned char)*c;
	return hash;
}

/* The same with the lowest bit, which says something else in .gnu.hash, always set: no part of
 * a place in a table. */
static inline uint32_t name_hash(const char *name)
{
	return gnu_hash(name) | 1;
}

#endif
