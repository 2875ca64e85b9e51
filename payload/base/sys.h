/* SPDX-License-Identifier: MIT
 *
 * Raw system calls for code that runs inside the target. The invariant: no libc, so no errno of
 * the program is touched and no lock of its libc is taken. Each returns the kernel's value:
 * negative errno on failure. inject/target/seccomp.c has the list of all calls.
 */
#ifndef PAYLOAD_BASE_SYS_H
#define PAYLOAD_BASE_SYS_H

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

static inline long sys_call3(long nr, long a, long b, long c)
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return result;
}

static inline long sys_call4(long nr, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return result;
}

static inline long sys_call6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

/* Wakes everybody: the word lies in memory shared with another process, so no FUTEX_PRIVATE. */
static inline void sys_futex_wake(const uint32_t *word)
{
	sys_call3(SYS_futex, (long)word, FUTEX_WAKE, INT32_MAX);
}

/* For words that only this process sees. */
static inline void sys_futex_wake_private(const uint32_t *word)
{
	sys_call3(SYS_futex, (long)word, FUTEX_WAKE_PRIVATE, INT32_MAX);
}

static inline void sys_futex_wait_private(const uint32_t *word, uint32_t value, int64_t ns)
{
	const struct timespec ts = {ns / 1000000000, ns % 1000000000};

	sys_call4(SYS_futex, (long)word, FUTEX_WAIT_PRIVATE, value, (long)&ts);
}

static inline void sys_futex_wait(const uint32_t *word, uint32_t value, int64_t ns)
{
	const struct timespec ts = {ns / 1000000000, ns % 1000000000};

	sys_call4(SYS_futex, (long)word, FUTEX_WAIT, value, (long)&ts);
}

static inline int64_t sys_clock_ns(clockid_t clock)
{
	struct timespec ts = {0, 0};

	sys_call3(SYS_clock_gettime, clock, (long)&ts, 0);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static inline int64_t sys_now_ns(void)
{
	return sys_clock_ns(CLOCK_MONOTONIC);
}

static inline int32_t sys_gettid(void)
{
	return (int32_t)sys_call3(SYS_gettid, 0, 0, 0);
}

static inline long sys_getpid(void)
{
	return sys_call3(SYS_getpid, 0, 0, 0);
}

static inline long sys_close(int fd)
{
	return sys_call3(SYS_close, fd, 0, 0);
}

/* Zeroed memory; NULL when there is none. */
static inline void *sys_mmap_anonymous(size_t size)
{
	long start = sys_call6(SYS_mmap, 0, (long)size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return start < 0 && start > -4096 ? NULL : (void *)start;
}

static inline long sys_munmap(void *start, size_t size)
{
	return sys_call3(SYS_munmap, (long)start, (long)size, 0);
}

static inline long sys_madvise(void *start, size_t size, int advice)
{
	return sys_call3(SYS_madvise, (long)start, (long)size, advice);
}

static inline long sys_fcntl(int fd, int command, long argument)
{
	return sys_call3(SYS_fcntl, fd, command, argument);
}

/* The *at calls are those that libc itself makes, so that a seccomp filter which lets the
 * program open and look at files lets us, too. */
static inline long sys_open(const char *path, int flags)
{
	return sys_call3(SYS_openat, AT_FDCWD, (long)path, flags);
}

static inline long sys_read(int fd, void *to, size_t size)
{
	return sys_call3(SYS_read, fd, (long)to, (long)size);
}

/* struct stat of the C library is the kernel's on x86-64. */
static inline long sys_stat(const char *path, struct stat *out)
{
	return sys_call4(SYS_newfstatat, AT_FDCWD, (long)path, (long)out, 0);
}

static inline long sys_fstat(int fd, struct stat *out)
{
	return sys_call4(SYS_newfstatat, fd, (long)"", (long)out, 0x1000 /* AT_EMPTY_PATH */);
}

static inline long sys_readlink(const char *path, char *out, size_t size)
{
	return sys_call4(SYS_readlinkat, AT_FDCWD, (long)path, (long)out, (long)size);
}

/* Whether the program has such a thread; a denial counts as one. */
static inline int sys_thread_lives(int32_t tid)
{
	return sys_call3(SYS_tgkill, sys_getpid(), tid, 0) != -ESRCH;
}

static inline void sys_pause(int64_t ns)
{
	const struct timespec ts = {ns / 1000000000, ns % 1000000000};

	sys_call4(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, (long)&ts, 0);
}

static inline long sys_lstat(const char *path, struct stat *out)
{
	return sys_call4(SYS_newfstatat, AT_FDCWD, (long)path, (long)out,
			 0x100 /* AT_SYMLINK_NOFOLLOW */);
}

#endif
