/* SPDX-License-Identifier: MIT
 *
 * See seccomp.h. The table was checked by tracing every call of an attach to CPython 3.7 to
 * 3.13 on glibc 2.36; a test runs attaches under a filter that kills for everything else.
 */
#include "inject/target/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "inject/target/bpf.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41 /* Linux 5.17 */
#endif
#ifndef SYS_rseq
#define SYS_rseq 334
#endif

enum need {
	NEEDED,   /* must succeed */
	EXPECTED, /* may fail, but must not kill, trap or wait for somebody */
};

struct call {
	const char *name;
	enum need need;
	struct bpf_call call;
};

#define ARG(n)           (1u << (n))
#define ANONYMOUS        (MAP_PRIVATE | MAP_ANONYMOUS)
#define SHARED_ANONYMOUS (MAP_SHARED | MAP_ANONYMOUS)
#define NO_FD            ((uint64_t)-1)
#define RW               (PROT_READ | PROT_WRITE)
#define RX               (PROT_READ | PROT_EXEC)
#define WHOLE            (ARG(0) | ARG(2) | ARG(3) | ARG(5))
#define PTHREAD_CLONE                                                                          \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_SIGHAND | CLONE_THREAD |    \
	 CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

/* clang-format off */
static const struct call calls[] = {
	/* --- the hijacked thread, memory.c, guest.c --- */
	{"munmap", NEEDED, {SYS_munmap, {0}, 0}},
	{"close", NEEDED, {SYS_close, {0}, 0}},
	{"rt_sigreturn", NEEDED, {SYS_rt_sigreturn, {0}, 0}},
	/* A thread whose wait for this fails goes back by the frame at once. */
	{"fcntl", EXPECTED, {SYS_fcntl, {0, F_OFD_SETLKW}, ARG(1)}},
	/* --- pthread_create: nptl/allocatestack.c, nptl/pthread_create.c --- */
	{"mmap", NEEDED, {SYS_mmap, {0, 0, PROT_NONE, ANONYMOUS | MAP_STACK, NO_FD, 0},
			  ARG(0) | ARG(2) | ARG(3) | ARG(5)}},
	{"rt_sigaction", EXPECTED, {SYS_rt_sigaction, {33 /* SIGSETXID */, 0, 0, 8},
				    ARG(0) | ARG(3)}}, /* at the first thread */
	{"mprotect", NEEDED, {SYS_mprotect, {0, 0, RW}, ARG(2)}},
	{"rt_sigprocmask", NEEDED, {SYS_rt_sigprocmask, {0, 0, 0, 8}, ARG(3)}},
	/* --- the worker's beginning and end in libc --- */
	{"set_robust_list", EXPECTED, {SYS_set_robust_list, {0, 24}, ARG(1)}},
	{"madvise", EXPECTED, {SYS_madvise, {0, 0, MADV_DONTNEED}, ARG(2)}},
	{"exit", NEEDED, {SYS_exit, {0}, ARG(0)}},
	/* --- the worker itself: payload/base/sys.h --- */
	{"gettid", NEEDED, {SYS_gettid, {0}, 0}},
	{"getpid", EXPECTED, {SYS_getpid, {0}, 0}},
	{"tgkill", EXPECTED, {SYS_tgkill, {0}, ARG(2)}},
	{"madvise", EXPECTED, {SYS_madvise, {0, 0, MADV_DONTFORK}, ARG(2)}},
	{"madvise", EXPECTED, {SYS_madvise, {0, 0, MADV_DOFORK}, ARG(2)}},
	{"fcntl", EXPECTED, {SYS_fcntl, {0, F_OFD_GETLK}, ARG(1)}},
	{"clock_gettime", NEEDED, {SYS_clock_gettime, {CLOCK_MONOTONIC}, ARG(0)}},
	{"clock_gettime", NEEDED, {SYS_clock_gettime, {CLOCK_REALTIME}, ARG(0)}},
	{"clock_gettime", NEEDED, {SYS_clock_gettime, {CLOCK_BOOTTIME}, ARG(0)}},
	{"clock_nanosleep", EXPECTED, {SYS_clock_nanosleep, {CLOCK_MONOTONIC, 0}, ARG(0) | ARG(1)}},
	{"openat", NEEDED, {SYS_openat, {0, 0, O_RDONLY | O_CLOEXEC}, ARG(2)}},
	{"openat", EXPECTED, {SYS_openat, {0, 0, O_RDWR | O_CLOEXEC}, ARG(2)}},
	{"newfstatat", NEEDED, {SYS_newfstatat, {0}, 0}},
	{"readlinkat", EXPECTED, {SYS_readlinkat, {0}, 0}},
	{"read", NEEDED, {SYS_read, {0}, 0}},
	{"futex", NEEDED, {SYS_futex, {0, FUTEX_WAKE}, ARG(1)}},
	/* pthread_join, of the thread that watches new code: nptl/pthread_join_common.c */
	{"futex", EXPECTED, {SYS_futex, {0, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME}, ARG(1)}},
	/* --- what Python and malloc do for it --- */
	{"futex", NEEDED, {SYS_futex, {0, FUTEX_WAKE_PRIVATE}, ARG(1)}},
	{"futex", NEEDED, {SYS_futex, {0, FUTEX_WAIT_PRIVATE}, ARG(1)}},
	{"futex", NEEDED, {SYS_futex, {0, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME}, ARG(1)}},
	{"futex", NEEDED, {SYS_futex, {0, FUTEX_WAIT_BITSET_PRIVATE}, ARG(1)}},
	{"futex", NEEDED, {SYS_futex, {0, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME}, ARG(1)}},
	{"mmap", NEEDED, {SYS_mmap, {0, 0, RW, ANONYMOUS, NO_FD, 0},
			  ARG(0) | ARG(2) | ARG(3) | ARG(5)}},
	{"mmap", EXPECTED, {SYS_mmap, {0, 0, PROT_NONE, ANONYMOUS | MAP_NORESERVE, NO_FD, 0},
			    ARG(0) | ARG(2) | ARG(3) | ARG(5)}},
	{"mremap", EXPECTED, {SYS_mremap, {0, 0, 0, MREMAP_MAYMOVE}, ARG(3)}},
	{"brk", EXPECTED, {SYS_brk, {0}, 0}},
	/* By glibc's pthread_getattr_np(), which CPython asks for the stack of each new thread from
	 * 3.14 on; and by its malloc (2.35 to 2.38) when it has made eight arenas. */
	{"sched_getaffinity", EXPECTED, {SYS_sched_getaffinity, {0}, 0}},
};

/* The backing: the second only when the first fails with EINVAL (before 6.3). */
static const struct call memfd[] = {
	{"memfd_create", NEEDED, {SYS_memfd_create, {0, MFD_CLOEXEC | MFD_NOEXEC_SEAL}, ARG(1)}},
	{"memfd_create", NEEDED, {SYS_memfd_create, {0, MFD_CLOEXEC | MFD_ALLOW_SEALING}, ARG(1)}},
};
/* The whole, with the memfd or without; executable, or in two steps. */
static const struct call whole_rx[] = {
	{"mmap (executable)", NEEDED, {SYS_mmap, {0, 0, RX, MAP_SHARED, 0, 0}, WHOLE}},
	{"mmap (executable)", NEEDED, {SYS_mmap, {0, 0, RX, SHARED_ANONYMOUS, NO_FD, 0}, WHOLE}},
};
static const struct call whole_rw[] = {
	{"mmap", NEEDED, {SYS_mmap, {0, 0, RW, MAP_SHARED, 0, 0}, WHOLE}},
	{"mmap", NEEDED, {SYS_mmap, {0, 0, RW, SHARED_ANONYMOUS, NO_FD, 0}, WHOLE}},
};
static const struct call private_text[] = {
	{"mmap", NEEDED, {SYS_mmap, {0, 0, RW, ANONYMOUS | MAP_FIXED, NO_FD, 0}, ARG(2) | ARG(3)}},
	{"mprotect (executable)", NEEDED, {SYS_mprotect, {0, 0, RX}, ARG(2)}},
};
static const struct call clone3 = {"clone3", NEEDED, {SYS_clone3, {0}, 0}};
static const struct call clone = {"clone", NEEDED, {SYS_clone, {PTHREAD_CLONE}, ARG(0)}};
static const struct call rseq = {"rseq", EXPECTED, {SYS_rseq, {0}, 0}};
/* While a lock of a free-threaded interpreter is waited for (_PyMutex_LockTimed of Python/lock.c,
 * MAX_SPIN_COUNT: 0 in others), by whatever thread meets ours. */
static const struct call yield = {"sched_yield", EXPECTED, {SYS_sched_yield, {0}, 0}};
/* What 3.15 calls its arenas, in a debug build and with -X dev (pycore_mmap.h,
 * _PyAnnotateMemoryMap). */
static const struct call name = {"prctl (PR_SET_VMA)", EXPECTED,
				 {SYS_prctl, {PR_SET_VMA}, ARG(0)}};
static const struct call restart = {"restart_syscall", NEEDED, {SYS_restart_syscall, {0}, 0}};
/* clang-format on */

/* All filters are asked and the most severe answer counts (kernel/seccomp.c,
 * seccomp_run_filters). */
static uint32_t ask(const struct seccomp_filters *filters, const struct call *call)
{
	uint32_t worst = SECCOMP_RET_ALLOW;

	for (size_t i = 0; i < filters->count; i++) {
		uint32_t answer = bpf_judge(filters->items[i].program, filters->items[i].count,
					    &call->call);

		if (bpf_is_worse(answer, worst))
			worst = answer;
	}
	return worst;
}

static bool passes(uint32_t answer)
{
	uint32_t action = answer & SECCOMP_RET_ACTION_FULL;

	return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG;
}

/* The errno that the call would fail with, or -1. Nobody listens for SECCOMP_RET_TRACE while we
 * trace, and the kernel says ENOSYS then. */
static int errno_of(uint32_t answer)
{
	switch (answer & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ERRNO:
		return answer & SECCOMP_RET_DATA;
	case SECCOMP_RET_TRACE:
		return ENOSYS;
	default:
		return -1;
	}
}

static const char *what_it_does(uint32_t answer)
{
	switch (answer & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_TRAP:
		return "sends SIGSYS for";
	case SECCOMP_RET_USER_NOTIF:
		return "asks a supervisor about";
	case SECCOMP_RET_ERRNO:
	case SECCOMP_RET_TRACE:
		return "denies";
	default:
		return "would kill it for";
	}
}

static int refuse(const struct target *target, const struct call *call, uint32_t answer,
		  struct hp_err *err)
{
	hp_err_obstacle(
		err, OBSTACLE_SECCOMP, errno_of(answer) > 0 ? errno_of(answer) : 0,
		"process %d runs under a seccomp filter that %s %s, which an attach needs",
		target->pid, what_it_does(answer), call->name);
	return hp_err_hint(
		err,
		"allow %s in the service's seccomp profile (systemd's SystemCallFilter=, docker run --security-opt seccomp=) and restart it",
		call->name);
}

static int judge_one(const struct target *target, const struct seccomp_filters *filters,
		     const struct call *call, struct hp_err *err)
{
	uint32_t answer = ask(filters, call);

	if (passes(answer) || (call->need == EXPECTED && errno_of(answer) >= 0))
		return 0;
	return refuse(target, call, answer, err);
}

/* glibc tries clone3 and takes ENOSYS, and nothing else, for a kernel that lacks it
 * (sysdeps/unix/sysv/linux/clone-internal.c). Docker's profile answers just that. */
static int judge_clone(const struct target *target, const struct seccomp_filters *filters,
		       const struct seccomp_libc *libc, struct hp_err *err)
{
	uint32_t answer = libc->clone3 ? ask(filters, &clone3) : 0;

	if (!libc->clone3 || errno_of(answer) == ENOSYS)
		return judge_one(target, filters, &clone, err);
	return passes(answer) ? 0 : refuse(target, &clone3, answer, err);
}

/* memory.c in terms of what the filters answer: a denial leads to another way. */
static int judge_memory(const struct target *target, const struct seccomp_filters *filters,
			struct hp_err *err)
{
	uint32_t answer = ask(filters, &memfd[0]);
	size_t way;

	if (errno_of(answer) == EINVAL)
		answer = ask(filters, &memfd[1]);
	if (!passes(answer) && errno_of(answer) < 0)
		return refuse(target, &memfd[0], answer, err);
	way = passes(answer) ? 0 : 1;

	answer = ask(filters, &whole_rx[way]);
	if (passes(answer))
		return 0;
	if (errno_of(answer) != EACCES && errno_of(answer) != EPERM)
		return refuse(target, &whole_rx[way], answer, err);
	if (judge_one(target, filters, &whole_rw[way], err) < 0 ||
	    judge_one(target, filters, &private_text[0], err) < 0)
		return -1;
	return judge_one(target, filters, &private_text[1], err);
}

void seccomp_learn_libc(struct seccomp_libc *libc, const struct target *target)
{
	static const uint32_t numbers[2] = {SYS_clone3, SYS_rseq};
	bool calls_it[2];

	target_libc_calls(calls_it, target, numbers);
	*libc = (struct seccomp_libc){true, calls_it[0], calls_it[1]};
}

/* What an interpreter itself does on our thread, or when our thread meets its own. */
static int judge_python(const struct target *target, const struct seccomp_filters *filters,
			struct hp_err *err)
{
	const struct python_info *python = &target->python;

	if (python->free_threaded && judge_one(target, filters, &yield, err) < 0)
		return -1;
	return python->minor >= 15 ? judge_one(target, filters, &name, err) : 0;
}

int seccomp_judge(const struct target *target, const struct seccomp_filters *filters,
		  const struct seccomp_libc *libc, struct hp_err *err)
{
	if (judge_memory(target, filters, err) < 0 ||
	    judge_clone(target, filters, libc, err) < 0 ||
	    (libc->rseq && judge_one(target, filters, &rseq, err) < 0) ||
	    judge_python(target, filters, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		if (judge_one(target, filters, &calls[i], err) < 0)
			return -1;
	}
	return 0;
}

bool seccomp_lets_restart(const struct seccomp_filters *filters)
{
	return passes(ask(filters, &restart));
}

void seccomp_filters_fini(struct seccomp_filters *filters)
{
	for (size_t i = 0; i < filters->count; i++)
		free(filters->items[i].program);
	free(filters->items);
	*filters = (struct seccomp_filters){0};
}
