/* SPDX-License-Identifier: MIT
 *
 * See safepoint_names.h. The invariant: no name is in two of the tables (a test checks it).
 *
 * What matters is what pthread_create() itself takes (nptl/pthread_create.c, allocatestack.c,
 * elf/dl-tls.c; glibc 2.28 to 2.41): the allocator's arenas, the list of stacks, the loader's
 * list of modules with thread-local storage, the default attributes. Locks of stdio, of the
 * time zone, of the resolver it never takes: getaddrinfo() and tzset() are not forbidden, for
 * when they allocate or load, the allocator or the loader is on the stack itself. They are not
 * allowed either: nobody has read all that they do.
 */
#include "inject/unwind/safepoint_names.h"

#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>

#include "inject/base/name_hash.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* clang-format off */

/* Functions whose whole inside is known to take none of those locks, except by calling what is
 * forbidden by name or by place (qsort calls malloc). */
static const char *const names_allowed[] = {
	"__clock_gettime", "__close", "__connect", "__ctype_b_loc", "__ctype_tolower_loc",
	"__ctype_toupper_loc", "__dup2", "__errno_location", "__explicit_bzero_chk",
	"__fcntl", "__finite", "__fxstat", "__fxstat64", "__fxstatat", "__fxstatat64",
	"__getauxval", "__getpid", "__h_errno_location", "__isinf", "__isnan",
	"__isoc23_strtol", "__isoc23_strtoll", "__isoc23_strtoul", "__isoc23_strtoull",
	"__libc_start_main", "__lseek", "__lxstat", "__lxstat64", "__memcmpeq",
	"__memcpy_chk", "__memmove_chk", "__mempcpy", "__mempcpy_chk", "__memset_chk",
	"__nanosleep", "__open", "__open64", "__pipe", "__poll", "__poll_chk", "__ppoll_chk",
	"__pread64", "__pread64_chk", "__pread_chk", "__pthread_getspecific",
	"__pthread_mutex_lock", "__pthread_mutex_trylock", "__pthread_mutex_unlock",
	"__pwrite64", "__rawmemchr", "__read", "__read_chk", "__readlink_chk", "__recv_chk",
	"__recvfrom_chk", "__sched_yield", "__select", "__send", "__sigaction", "__signbit",
	"__sigsetjmp", "__sigsuspend", "__stpcpy", "__stpcpy_chk", "__stpncpy",
	"__stpncpy_chk", "__strcasecmp", "__strcasecmp_l", "__strcat_chk", "__strchrnul",
	"__strcpy_chk", "__strncasecmp_l", "__strncat_chk", "__strncpy_chk", "__strtok_r",
	"__strtol_internal", "__strtoul_internal", "__wait", "__waitpid", "__wcscpy_chk",
	"__wcsncpy_chk", "__wmemcpy_chk", "__wmemmove_chk", "__wmemset_chk", "__write",
	"__xpg_basename", "__xstat", "__xstat64", "_setjmp", "abs", "accept", "accept4",
	"access", "alarm", "atof", "atoi", "atol", "atoll", "basename", "bcmp", "bcopy",
	"bind", "bsearch", "bzero", "chdir", "chmod", "chown", "clock", "clock_getres",
	"clock_gettime", "clock_nanosleep", "clock_settime", "close", "connect",
	"copy_file_range", "copysign", "copysignf", "copysignl", "creat", "creat64", "div",
	"drand48", "dup", "dup2", "dup3", "epoll_create", "epoll_create1", "epoll_ctl",
	"epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd", "eventfd_read",
	"eventfd_write", "explicit_bzero", "fallocate", "fallocate64", "fchdir", "fchmod",
	"fchown", "fchownat", "fcntl", "fcntl64", "fdatasync", "finite", "flock", "frexp",
	"frexpf", "frexpl", "fstat", "fstat64", "fstatat", "fstatat64", "fstatfs",
	"fstatfs64", "fsync", "ftruncate", "ftruncate64", "futimens", "getauxval", "getcpu",
	"getdents64", "getegid", "getentropy", "getenv", "geteuid", "getgid", "getitimer",
	"getpagesize", "getpeername", "getpgid", "getpgrp", "getpid", "getppid",
	"getpriority", "getrandom", "getresgid", "getresuid", "getrlimit", "getrlimit64",
	"getrusage", "getsid", "getsockname", "getsockopt", "gettid", "getuid",
	"gnu_get_libc_version", "gsignal", "htonl", "htons", "index", "inet_aton",
	"inet_ntop", "inet_pton", "inotify_add_watch", "inotify_init", "inotify_init1",
	"inotify_rm_watch", "ioctl", "isalnum", "isalpha", "isatty", "iscntrl", "isdigit",
	"isgraph", "isinf", "islower", "isnan", "isprint", "ispunct", "isspace", "isupper",
	"iswalnum", "iswalpha", "iswdigit", "iswlower", "iswprint", "iswspace", "iswupper",
	"isxdigit", "kill", "killpg", "labs", "lchown", "ldexp", "ldexpf", "ldexpl", "ldiv",
	"lfind", "link", "linkat", "listen", "llabs", "lldiv", "lrand48", "lsearch", "lseek",
	"lseek64", "lstat", "lstat64", "memccpy", "memchr", "memcmp", "memcpy",
	"memfd_create", "memfrob", "memmem", "memmove", "mempcpy", "memrchr", "memset",
	"mkdir", "mkdirat", "modf", "modff", "modfl", "nanosleep", "nice", "ntohl", "ntohs",
	"open", "open64", "openat", "openat64", "pause", "pipe", "pipe2", "poll",
	"posix_fadvise", "posix_fadvise64", "posix_fallocate", "posix_fallocate64", "ppoll",
	"pread", "pread64", "preadv", "preadv64", "prlimit", "prlimit64", "pselect",
	"pthread_barrier_wait", "pthread_cond_broadcast", "pthread_cond_clockwait",
	"pthread_cond_destroy", "pthread_cond_init", "pthread_cond_signal",
	"pthread_cond_timedwait", "pthread_cond_wait", "pthread_condattr_init",
	"pthread_condattr_setclock", "pthread_equal", "pthread_getspecific",
	"pthread_mutex_clocklock", "pthread_mutex_destroy", "pthread_mutex_init",
	"pthread_mutex_lock", "pthread_mutex_timedlock", "pthread_mutex_trylock",
	"pthread_mutex_unlock", "pthread_mutexattr_init", "pthread_mutexattr_settype",
	"pthread_rwlock_clockrdlock", "pthread_rwlock_clockwrlock", "pthread_rwlock_destroy",
	"pthread_rwlock_init", "pthread_rwlock_rdlock", "pthread_rwlock_timedrdlock",
	"pthread_rwlock_timedwrlock", "pthread_rwlock_tryrdlock", "pthread_rwlock_trywrlock",
	"pthread_rwlock_unlock", "pthread_rwlock_wrlock", "pthread_self", "pthread_sigmask",
	"pthread_spin_lock", "pthread_spin_trylock", "pthread_spin_unlock", "pwrite",
	"pwrite64", "pwritev", "pwritev64", "qsort", "qsort_r", "raise", "rand", "rand_r",
	"random", "random_r", "rawmemchr", "read", "readlink", "readlinkat", "readv", "recv",
	"recvfrom", "recvmmsg", "recvmsg", "rename", "renameat", "renameat2", "rindex",
	"rmdir", "scalbn", "scalbnf", "scalbnl", "sched_getaffinity", "sched_getcpu",
	"sched_getparam", "sched_getscheduler", "sched_setaffinity", "sched_yield",
	"secure_getenv", "select", "sem_clockwait", "sem_destroy", "sem_getvalue",
	"sem_init", "sem_post", "sem_timedwait", "sem_trywait", "sem_wait", "send",
	"sendfile", "sendfile64", "sendmmsg", "sendmsg", "sendto", "setitimer", "setjmp",
	"setpgid", "setpriority", "setrlimit", "setrlimit64", "setsid", "setsockopt",
	"shutdown", "sigaction", "sigaddset", "sigaltstack", "sigdelset", "sigemptyset",
	"sigfillset", "sigismember", "signalfd", "sigpending", "sigprocmask", "sigsuspend",
	"sigtimedwait", "sigwait", "sigwaitinfo", "sleep", "socket", "socketpair", "splice",
	"srand", "srandom", "stat", "stat64", "statfs", "statfs64", "statx", "stpcpy",
	"stpncpy", "strcasecmp", "strcasecmp_l", "strcasestr", "strcat", "strchr",
	"strchrnul", "strcmp", "strcpy", "strcspn", "strlcat", "strlcpy", "strlen",
	"strncasecmp", "strncasecmp_l", "strncat", "strncmp", "strncpy", "strnlen",
	"strpbrk", "strrchr", "strsep", "strspn", "strstr", "strtod", "strtof", "strtok",
	"strtok_r", "strtol", "strtold", "strtoll", "strtoul", "strtoull", "strverscmp",
	"swab", "symlink", "symlinkat", "sync", "syncfs", "syscall", "sysinfo", "tee",
	"tgkill", "timer_getoverrun", "timer_gettime", "timer_settime", "timerfd_create",
	"timerfd_gettime", "timerfd_settime", "times", "tolower", "toupper", "towlower",
	"towupper", "truncate", "truncate64", "umask", "uname", "unlink", "unlinkat",
	"usleep", "utimensat", "vmsplice", "wait", "wait3", "wait4", "waitid", "waitpid",
	"wcpcpy", "wcpncpy", "wcscat", "wcschr", "wcschrnul", "wcscmp", "wcscpy", "wcscspn",
	"wcslen", "wcsncat", "wcsncmp", "wcsncpy", "wcsnlen", "wcspbrk", "wcsrchr", "wcsspn",
	"wcsstr", "wmemchr", "wmemcmp", "wmemcpy", "wmemmove", "wmempcpy", "wmemset",
	"write", "writev",
};

static const char *const names_forbidden[] = {
	"_Fork", "_IO_popen", "_IO_proc_open", "__call_tls_dtors", "__clone", "__fork",
	"__libc_fork", "__libc_freeres", "__libc_system", "__libc_thread_freeres",
	"__pthread_exit", "__pthread_join", "__pthread_unwind", "__pthread_unwind_next",
	"__register_atfork", "__unregister_atfork", "__vfork", "at_quick_exit", "atexit",
	"clone", "dl_iterate_phdr", "dladdr", "dladdr1", "dlclose", "dlerror", "dlinfo",
	"dlmopen", "dlopen", "dlsym", "dlvsym", "exit", "fork", "on_exit", "popen",
	"posix_spawn", "posix_spawnp", "pthread_atfork", "pthread_cancel",
	"pthread_clockjoin_np", "pthread_detach", "pthread_exit",
	"pthread_getattr_default_np", "pthread_getattr_np", "pthread_join",
	"pthread_setattr_default_np", "pthread_timedjoin_np", "pthread_tryjoin_np",
	"quick_exit", "setegid", "seteuid", "setgid", "setgroups", "setregid", "setresgid",
	"setresuid", "setreuid", "setuid", "system", "thrd_create", "thrd_detach",
	"thrd_exit", "thrd_join", "vfork",
};

static const char *const names_allocator[] = {
	"__cfree", "__default_morecore", "__libc_calloc", "__libc_cfree", "__libc_free",
	"__libc_mallinfo", "__libc_malloc", "__libc_mallopt", "__libc_memalign",
	"__libc_pvalloc", "__libc_realloc", "__libc_reallocarray", "__libc_valloc",
	"__mallinfo", "__malloc_check_init", "__malloc_get_state", "__malloc_set_state",
	"__malloc_trim", "__malloc_usable_size", "__mallopt",
	"__posix_memalign", "_mid_memalign", "aligned_alloc", "alloc_new_heap",
	"alloc_perturb", "arena_get2", "arena_get_retry", "calloc", "cfree", "detach_arena",
	"free", "get_free_list", "heap_trim", "int_mallinfo", "mallinfo", "mallinfo2",
	"malloc", "malloc_consolidate", "malloc_get_state", "malloc_printerr",
	"malloc_set_state", "malloc_trim", "malloc_usable_size", "mallopt",
	"memalign", "mremap_chunk", "munmap_chunk", "new_heap", "posix_memalign", "pvalloc",
	"realloc", "reallocarray", "systrim", "unlink_chunk", "valloc",
};

static const char *const names_allocator_tells[] = {
	"__malloc_info", "__malloc_stats", "malloc_info", "malloc_stats",
};

static const char *const names_threads[] = {
	"__pthread_create_2_0", "__pthread_create_2_1", "__pthread_create_internal",
	"allocate_stack", "create_thread", "pthread_create", "start_thread",
};

/* clang-format on */

struct prefix {
	const char *text;
	enum name_class class;
};
/* Each at its first letter, of which no two have the same; none is shorter than four. */
#define AT(letter) [(letter) - 'a']
static const struct prefix prefixes[26] = {
	AT('d') = {"_dl_", NAME_FORBIDDEN},
	AT('l') = {"__libc_dl", NAME_FORBIDDEN},
	AT('c') = {"__cxa_", NAME_FORBIDDEN},
	AT('n') = {"__nptl_", NAME_FORBIDDEN},
	AT('m') = {"__malloc_", NAME_ALLOCATOR},
	/* static ones, for a libc that was not stripped; gcc appends .part.0 and the like */
	AT('i') = {"_int_", NAME_ALLOCATOR},
	AT('s') = {"sysmalloc", NAME_ALLOCATOR},
	AT('t') = {"tcache_", NAME_ALLOCATOR},
	AT('p') = {"ptmalloc_", NAME_ALLOCATOR},
};

_Static_assert(2 * (COUNT(names_forbidden) + COUNT(names_allocator) +
		    COUNT(names_allocator_tells) + COUNT(names_threads)) <=
		       SAFEPOINT_NAMES_SIZE,
	       "the table of names is too full");

/* Where in the table the name is, or the empty place where it would be. */
static size_t place_of(const struct safepoint_names *names, const char *name, uint32_t hash)
{
	size_t at = (hash >> 1) % SAFEPOINT_NAMES_SIZE;

	while (names->hashes[at] &&
	       (names->hashes[at] != hash || strcmp(names->names[at], name) != 0))
		at = (at + 1) % SAFEPOINT_NAMES_SIZE;
	return at;
}

static void set_bit(uint64_t *bits, size_t bit)
{
	bits[bit / 64] |= (uint64_t)1 << bit % 64;
}

static void names_take(struct safepoint_names *names, const char *const *items, size_t count,
		       enum name_class class)
{
	for (size_t i = 0; i < count; i++) {
		const uint32_t hash = name_hash(items[i]);
		const size_t at = place_of(names, items[i], hash);

		names->hashes[at] = hash;
		names->names[at] = items[i];
		names->classes[at] = (uint8_t) class;
		set_bit(names->whole, safepoint_bit_of_hash(hash));
	}
}

void safepoint_names_init(struct safepoint_names *out)
{
	memset(out->hashes, 0, sizeof(out->hashes));
	memset(out->whole, 0, sizeof(out->whole));
	memset(out->start, 0, sizeof(out->start));
	names_take(out, names_forbidden, COUNT(names_forbidden), NAME_FORBIDDEN);
	names_take(out, names_allocator, COUNT(names_allocator), NAME_ALLOCATOR);
	names_take(out, names_allocator_tells, COUNT(names_allocator_tells),
		   NAME_ALLOCATOR_TELLS);
	names_take(out, names_threads, COUNT(names_threads), NAME_THREADS);
	for (size_t i = 0; i < COUNT(prefixes); i++)
		if (prefixes[i].text)
			set_bit(out->start, safepoint_bit_of_start(prefixes[i].text));
}

static enum name_class whole_name_class(const struct safepoint_names *names, const char *name,
					uint32_t hash)
{
	const size_t at = place_of(names, name, hash);

	return names->hashes[at] ? (enum name_class)names->classes[at] : NAME_OTHER;
}

static enum name_class prefix_class(const char *name)
{
	const struct prefix *prefix;
	const char *letter = name;

	while (*letter == '_')
		letter++;
	if (*letter < 'a' || *letter > 'z')
		return NAME_OTHER;
	prefix = &prefixes[*letter - 'a'];
	if (!prefix->text || name[0] != prefix->text[0] || name[1] != prefix->text[1] ||
	    strncmp(name, prefix->text, strlen(prefix->text)) != 0)
		return NAME_OTHER;
	return prefix->class;
}

enum name_class safepoint_name_class(const struct safepoint_names *names, const char *name,
				     uint32_t hash)
{
	const enum name_class class = whole_name_class(names, name, hash);

	return class == NAME_OTHER ? prefix_class(name) : class;
}

enum name_class safepoint_part_class(const struct safepoint_names *names, const char *name)
{
	const size_t len = strcspn(name, ".");
	char stem[64];

	if (!name[len] || len >= sizeof(stem))
		return NAME_OTHER;
	memcpy(stem, name, len);
	stem[len] = 0;
	return whole_name_class(names, stem, name_hash(stem));
}

bool safepoint_name_is_allowed(const char *name)
{
	for (size_t i = 0; i < COUNT(names_allowed); i++)
		if (!strcmp(names_allowed[i], name))
			return true;
	return false;
}

/* ---- system calls ---- */

static const long reading[] = {SYS_read, SYS_readv, SYS_pread64, SYS_preadv};

static const long waiting[] = {
	SYS_recvfrom,
	SYS_recvmsg,
	SYS_recvmmsg,
	SYS_accept,
	SYS_accept4,
	SYS_poll,
	SYS_ppoll,
	SYS_select,
	SYS_pselect6,
	SYS_epoll_wait,
	SYS_epoll_pwait,
	SYS_epoll_pwait2,
	SYS_nanosleep,
	SYS_clock_nanosleep,
	SYS_wait4,
	SYS_waitid,
	SYS_rt_sigtimedwait,
	SYS_rt_sigsuspend,
	SYS_pause,
	/* The rest of a sleep, a poll, or a futex wait with a timeout, after a stop. The locks
	 * of libc wait without a timeout, and the kernel restarts those under their own number.
	 */
	SYS_restart_syscall,
};

static const long writing[] = {
	SYS_write,   SYS_writev,   SYS_pwrite64, SYS_pwritev, SYS_sendto,
	SYS_sendmsg, SYS_sendmmsg, SYS_connect,  SYS_flock,
};

static const long unsafe[] = {
	SYS_brk,    SYS_mmap,       SYS_munmap,          SYS_mprotect,
	SYS_mremap, SYS_madvise,    SYS_clone,           SYS_clone3,
	SYS_fork,   SYS_vfork,      SYS_execve,          SYS_execveat,
	SYS_exit,   SYS_exit_group, SYS_set_robust_list, SYS_set_tid_address,
	SYS_rseq,   SYS_arch_prctl, SYS_rt_sigreturn,
};

static bool nr_in(long nr, const long *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (items[i] == nr)
			return true;
	return false;
}

/* Semaphores, condition variables and read-write locks wait with a bit set
 * (nptl/futex-internal.c since 2.9); the low-level locks that the allocator, the loader and
 * stdio use (lowlevellock.c) do so with a plain FUTEX_WAIT. */
static bool waits_with_bitset(long nr, const uint64_t args[6])
{
	return nr == SYS_futex && (args[1] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET;
}

enum syscall_class safepoint_syscall_class(long nr, const uint64_t args[6])
{
	if (nr_in(nr, unsafe, COUNT(unsafe)))
		return SYSCALL_UNSAFE;
	if (nr_in(nr, writing, COUNT(writing)) || safepoint_wait_of(nr, args) != WAIT_NONE)
		return SYSCALL_PARKING;
	return SYSCALL_OTHER;
}

/* What glibc's allocator calls, 2.34 to 2.42 (malloc/malloc.c, arena.c, malloc-sysdep, and in
 * sysdeps/unix/sysv/linux malloc-hugepages.c, getsysstat.c): brk, mmap and their like, futex
 * for its own locks; how many processors there are and whether there are huge pages, read by
 * __read_nocancel(), which no program can call by that name. */
enum safepoint_wait safepoint_wait_of(long nr, const uint64_t args[6])
{
	if (nr_in(nr, reading, COUNT(reading)))
		return WAIT_READING;
	return nr_in(nr, waiting, COUNT(waiting)) || waits_with_bitset(nr, args) ? WAIT_OTHER
										 : WAIT_NONE;
}
