/* SPDX-License-Identifier: MIT
 *
 * The tables of names and system calls. Each name of the source is looked up here: one that is
 * in two tables would have the class of the last.
 */
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/name_hash.h"
#include "inject/unwind/safepoint_names.h"

static enum name_class class_of(const struct safepoint_names *names, const char *name)
{
	const enum name_class class = safepoint_name_class(names, name, name_hash(name));

	return class == NAME_OTHER ? safepoint_part_class(names, name) : class;
}

struct expectation {
	const char *name;
	enum name_class class;
};

static const struct expectation expectations[] = {
	{"malloc", NAME_ALLOCATOR},
	{"__libc_memalign", NAME_ALLOCATOR},
	{"_int_free", NAME_ALLOCATOR},
	{"sysmalloc_mmap.constprop.0", NAME_ALLOCATOR},
	{"malloc_consolidate", NAME_ALLOCATOR},
	{"systrim.constprop.0", NAME_ALLOCATOR},
	{"arena_get2.part.0", NAME_ALLOCATOR},
	{"malloc_stats", NAME_ALLOCATOR_TELLS},
	{"pthread_create", NAME_THREADS},
	{"start_thread", NAME_THREADS},
	{"fork", NAME_FORBIDDEN},
	{"_Fork", NAME_FORBIDDEN},
	{"dlopen", NAME_FORBIDDEN},
	{"dl_iterate_phdr", NAME_FORBIDDEN},
	{"_dl_addr", NAME_FORBIDDEN},
	{"__cxa_atexit", NAME_FORBIDDEN},
	{"__nptl_deallocate_stack", NAME_FORBIDDEN},
	{"setuid", NAME_FORBIDDEN},
	{"exit", NAME_FORBIDDEN},
	{"pthread_exit", NAME_FORBIDDEN},
	{"getaddrinfo", NAME_OTHER},
	{"printf", NAME_OTHER},
	{"fgets", NAME_OTHER},
	{"strdup", NAME_OTHER},
	{"strerror", NAME_OTHER},
	{"read", NAME_OTHER},
	{"", NAME_OTHER},
	{"a.b", NAME_OTHER},
};

static struct safepoint_names names;

static void make_names(void)
{
	safepoint_names_init(&names);
}

TestSuite(safepoint_names, .init = make_names);

Test(safepoint_names, classes)
{
	for (size_t i = 0; i < sizeof(expectations) / sizeof(expectations[0]); i++)
		cr_expect(
			eq(int, class_of(&names, expectations[i].name), expectations[i].class),
			"%s", expectations[i].name);
}

Test(safepoint_names, allowed)
{
	static const char *const yes[] = {
		"read",    "sem_wait",        "pthread_cond_timedwait",
		"wmemset", "__clock_gettime", "__libc_start_main"};
	static const char *const no[] = {
		"malloc",          "getaddrinfo", "",
		"read.part.0",     /* a part of an allowed one is not it */
		"__read_nocancel", /* the allocator's */
	};

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		cr_expect(safepoint_name_is_allowed(yes[i]), "%s", yes[i]);
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		cr_expect(not(safepoint_name_is_allowed(no[i])), "%s", no[i]);
}

Test(safepoint_names, very_long_name)
{
	char name[4096];

	memset(name, 'm', sizeof(name));
	name[200] = '.';
	name[sizeof(name) - 1] = 0;
	cr_expect(eq(int, class_of(&names, name), NAME_OTHER));
}

Test(safepoint_names, every_name_has_the_class_of_its_table)
{
	static const char *const tables[] = {"names_allowed[]", "names_forbidden[]",
					     "names_allocator[]", "names_allocator_tells[]",
					     "names_threads[]"};
	static const enum name_class classes[] = {NAME_OTHER, NAME_FORBIDDEN, NAME_ALLOCATOR,
						  NAME_ALLOCATOR_TELLS, NAME_THREADS};
	FILE *source = fopen(SAFEPOINT_NAMES_SOURCE, "r");
	size_t checked = 0;
	char line[256];
	int table = -1;

	cr_assert(ne(ptr, source, NULL));
	while (fgets(line, sizeof(line), source)) {
		for (int i = 0; i < 5; i++)
			if (strstr(line, tables[i]) && strstr(line, "[] = {"))
				table = i;
		if (strcmp(line, "};\n") == 0)
			table = -1;
		if (table < 0)
			continue;
		for (char *at = strchr(line, '"'); at; at = strchr(at, '"')) {
			char *end = strchr(at + 1, '"');

			*end = 0;
			cr_expect(eq(int, class_of(&names, at + 1), classes[table]), "%s",
				  at + 1);
			cr_expect(eq(int, safepoint_name_is_allowed(at + 1), table == 0), "%s",
				  at + 1);
			checked++;
			at = end + 1;
		}
	}
	fclose(source);
	cr_expect(checked > 400);
}

Test(safepoint_names, system_calls)
{
	const uint64_t none[6] = {0};
	const uint64_t plain[6] = {0, FUTEX_WAIT_PRIVATE};
	const uint64_t bitset[6] = {0, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME};
	const uint64_t wake[6] = {0, FUTEX_WAKE_PRIVATE};

	cr_expect(eq(int, safepoint_syscall_class(SYS_read, none), SYSCALL_PARKING));
	cr_expect(eq(int, safepoint_syscall_class(SYS_restart_syscall, none), SYSCALL_PARKING));
	cr_expect(eq(int, safepoint_syscall_class(SYS_futex, bitset), SYSCALL_PARKING));
	cr_expect(eq(int, safepoint_syscall_class(SYS_futex, plain), SYSCALL_OTHER));
	cr_expect(eq(int, safepoint_syscall_class(SYS_futex, wake), SYSCALL_OTHER));
	cr_expect(eq(int, safepoint_syscall_class(SYS_madvise, none), SYSCALL_UNSAFE));
	cr_expect(eq(int, safepoint_syscall_class(SYS_clone3, none), SYSCALL_UNSAFE));
	cr_expect(eq(int, safepoint_syscall_class(SYS_getpid, none), SYSCALL_OTHER));
	cr_expect(eq(int, safepoint_syscall_class(-5, none), SYSCALL_OTHER));
	cr_expect(eq(int, safepoint_syscall_class(SYS_write, none), SYSCALL_PARKING));

	cr_expect(eq(int, safepoint_wait_of(SYS_read, none), WAIT_READING));
	cr_expect(eq(int, safepoint_wait_of(SYS_poll, none), WAIT_OTHER));
	cr_expect(eq(int, safepoint_wait_of(SYS_futex, bitset), WAIT_OTHER));
	cr_expect(eq(int, safepoint_wait_of(SYS_futex, plain), WAIT_NONE));
	cr_expect(eq(int, safepoint_wait_of(SYS_write, none), WAIT_NONE));
	cr_expect(eq(int, safepoint_wait_of(SYS_brk, none), WAIT_NONE));
}
