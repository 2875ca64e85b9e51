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
	NAME_OTHER,     /* nothing is known */
	NAME_ALLOWED,   /* holds no lock that pthread_create, malloc or the loader take */
	NAME_FORBIDDEN, /* may hold one */
	NAME_ALLOCATOR, /* likewise, and so does the unnamed code around it: malloc.o */
	NAME_THREADS,   /* likewise: pthread_create.o */
};
enum name_class safepoint_name_class(const char *name);

enum syscall_class {
	SYSCALL_OTHER,
	SYSCALL_PARKING, /* neither the allocator nor the loader nor libc's locks wait in it */
	SYSCALL_UNSAFE,  /* made by the allocator, thread creation and exit, or about to end all
			  */
};
enum syscall_class safepoint_syscall_class(long nr, const uint64_t args[6]);

#endif
