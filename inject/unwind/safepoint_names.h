/* SPDX-License-Identifier: MIT
 *
 * What the names of libc's functions tell a safe-point judgement, and the numbers of system
 * calls. Tables, with the reasons.
 */
#ifndef INJECT_UNWIND_SAFEPOINT_NAMES_H
#define INJECT_UNWIND_SAFEPOINT_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* In rising order of severity. */
enum name_class {
	NAME_OTHER,           /* not in the way; perhaps allowed */
	NAME_FORBIDDEN,       /* may hold one */
	NAME_ALLOCATOR,       /* likewise, and so does the unnamed code around it: malloc.o */
	NAME_ALLOCATOR_TELLS, /* likewise, and writes to a stream, which may be anybody's */
	NAME_THREADS,         /* likewise: pthread_create.o */
};

static inline bool name_class_is_of_malloc_o(enum name_class class)
{
	return class == NAME_ALLOCATOR || class == NAME_ALLOCATOR_TELLS;
}

/* The tables of what is in the way as one that is searched by hash: each function of libc is
 * looked up in it. */
#define SAFEPOINT_NAMES_SIZE 512
#define SAFEPOINT_NAMES_BITS 4096
struct safepoint_names {
	uint32_t hashes[SAFEPOINT_NAMES_SIZE]; /* 0: no entry; nearly all searches end here */
	const char *names[SAFEPOINT_NAMES_SIZE];
	uint8_t classes[SAFEPOINT_NAMES_SIZE]; /* enum name_class */
	/* Bitmaps, of the hashes of the names and of the first four letters of the prefixes. */
	uint64_t whole[SAFEPOINT_NAMES_BITS / 64], start[SAFEPOINT_NAMES_BITS / 64];
};
static inline size_t safepoint_bit_of_hash(uint32_t hash)
{
	return (hash >> 1) % SAFEPOINT_NAMES_BITS;
}
static inline size_t safepoint_bit_of_start(const char first[4])
{
	uint32_t word;

	memcpy(&word, first, sizeof(word));
	return (word * 0x9e3779b1u) >> 20; /* Knuth, The Art of Computer Programming, 6.4 */
}
void safepoint_names_init(struct safepoint_names *out);
/* `hash` is name_hash() of the name. */
enum name_class safepoint_name_class(const struct safepoint_names *names, const char *name,
				     uint32_t hash);
/* False for nearly all names that safepoint_name_class() calls NAME_OTHER, and for these alone:
 * at a tenth of its price, for no branch is guessed wrong. */
static inline bool safepoint_name_may_matter(const struct safepoint_names *names, uint32_t hash,
					     const char first[4])
{
	const size_t whole = safepoint_bit_of_hash(hash), start = safepoint_bit_of_start(first);

	return (names->whole[whole / 64] >> whole % 64 & 1) |
	       (names->start[start / 64] >> start % 64 & 1);
}
/* Of a local symbol that this knows nothing of: it may be a part that gcc split off a function
 * (malloc.part.0). */
enum name_class safepoint_part_class(const struct safepoint_names *names, const char *name);

/* It holds no lock that pthread_create, malloc or the loader take. Few are ever asked for. */
bool safepoint_name_is_allowed(const char *name);

enum syscall_class {
	SYSCALL_OTHER,
	SYSCALL_PARKING, /* neither the allocator nor the loader nor libc's locks wait in it */
	SYSCALL_UNSAFE,  /* made by the allocator, thread creation and exit, or about to end all
			  */
};
enum syscall_class safepoint_syscall_class(long nr, const uint64_t args[6]);

/* In which a thread waits that is not inside the allocator of a libc, whose hooks are not
 * there: it makes none of these calls. Reading it does, by functions without a name. */
enum safepoint_wait { WAIT_NONE, WAIT_READING, WAIT_OTHER };
enum safepoint_wait safepoint_wait_of(long nr, const uint64_t args[6]);

#endif
