/* SPDX-License-Identifier: MIT
 *
 * What the names of libc's functions tell a safe-point judgement, and the numbers of system
 * calls. Tables, with the reasons.
 */
#ifndef INJECT_UNWIND_SAFEPOINT_NAMES_H
#define INJECT_UNWIND_SAFEPOINT_NAMES_H

#include <stdint.h>

/* In rising order of severity. */
enum name_class {
	NAME_OTHER,           /* nothing is known */
	NAME_ALLOWED,         /* holds no lock that pthread_create, malloc or the loader take */
	NAME_FORBIDDEN,       /* may hold one */
	NAME_ALLOCATOR,       /* likewise, and so does the unnamed code around it: malloc.o */
	NAME_ALLOCATOR_TELLS, /* likewise, and writes to a stream, which may be anybody's */
	NAME_THREADS,         /* likewise: pthread_create.o */
};

/* The tables as one that is searched by hash: each function of libc is looked up in it. */
#define SAFEPOINT_NAMES_SIZE 2048
struct safepoint_names {
	uint32_t hashes[SAFEPOINT_NAMES_SIZE]; /* 0: no entry; nearly all searches end here */
	const char *names[SAFEPOINT_NAMES_SIZE];
	uint8_t classes[SAFEPOINT_NAMES_SIZE]; /* enum name_class */
};
void safepoint_names_init(struct safepoint_names *out);
/* `hash` is name_hash() of the name. */
enum name_class safepoint_name_class(const struct safepoint_names *names, const char *name,
				     uint32_t hash);

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
