/* SPDX-License-Identifier: MIT
 *
 * What differs from CPU to CPU, as pure functions over register sets and bytes: nobody is
 * stopped or written to here. One file a CPU implements it; no other file knows a register's
 * name.
 *
 * The invariant of the synthetic signal frame: a thread whose registers arch_enter_*() made,
 * and whose stack holds the bytes of arch_frame_build(), returns by itself to exactly where it
 * was, with its registers, vector state and signal mask, even when nobody ever touches it
 * again.
 */
#ifndef INJECT_ARCH_ARCH_H
#define INJECT_ARCH_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/user.h>

#include "inject/base/addr.h"
#include "inject/base/err.h"
#include "inject/base/span.h"
#include "inject/unwind/frames.h"

#define ARCH_XSTATE_MAX (16u << 10) /* AVX-512, PKRU and AMX together are 11 KiB */
#define ARCH_FRAME_MAX  (ARCH_XSTATE_MAX + 2048u) /* signal frame and vector state */

struct arch_regs {
	struct user_regs_struct gp;
};

remote_addr arch_pc(const struct arch_regs *regs);
remote_addr arch_sp(const struct arch_regs *regs);

/* What tells its thread-local storage from another thread's: what glibc and musl have as its
 * pthread_t. */
uint64_t arch_thread_pointer(const struct arch_regs *regs);

/* The number of the system call that the thread was in when it stopped, or -1. args may be
 * NULL. */
long arch_syscall(const struct arch_regs *regs, uint64_t args[6]);

/* epoll_wait fails with EINTR after every ptrace stop: the kernel never restarts it
 * (fs/eventpoll.c, ep_poll). Without a timeout it can be restarted with nobody noticing: say
 * -ERESTARTNOHAND instead, so that the kernel issues it again unless a handler runs. Returns
 * whether regs were changed. */
bool arch_restart_endless_wait(struct arch_regs *regs);

/* Whether the thread's wait would be resumed by restart_syscall; with it, `regs` are changed so
 * that the wait is issued anew instead, with its whole time. For a thread whose seccomp filter
 * forbids restart_syscall. */
bool arch_reissue_wait(struct arch_regs *regs);

/* The context that the thread resumes with when nobody restores it exactly: interrupted system
 * calls are wound back, here and only here. A call that only restart_syscall can resume returns
 * EINTR instead. */
void arch_resume_context(struct arch_regs *out, const struct arch_regs *stopped);

/* How many bytes of the vector state (NT_X86_XSTATE) to ask for: all but the tiles of AMX, 8
 * KiB at the end, which hardly anybody uses. Slow: before a stop. */
size_t arch_xstate_ask(void);
/* Whether that is all that is in use. */
bool arch_xstate_is_whole(const uint8_t *xstate);

/* The frame for `resume`: it goes below the red zone of its stack pointer. xstate is what
 * NT_X86_XSTATE gave; restorer is libc's code that calls rt_sigreturn. */
struct arch_frame {
	remote_addr at;
	remote_addr vectors; /* of the thread, in it */
	size_t len;
	uint8_t bytes[ARCH_FRAME_MAX];
};
HP_MUST_CHECK int arch_frame_build(struct arch_frame *out, const struct arch_regs *resume,
				   struct span xstate, uint64_t sigmask, remote_addr restorer,
				   struct hp_err *err);

/* The frame carries a NUL-terminated string of the target's own, ARCH_FRAME_NOTE: the name that
 * a memfd is given. This is its address. */
#define ARCH_FRAME_NOTE "pyhotpatch"
remote_addr arch_frame_note(remote_addr frame);

/* Registers that call fn(arg), or make a system call at syscall_ret, on the frame at `frame`,
 * and return into the frame. */
void arch_enter_call(struct arch_regs *regs, remote_addr fn, remote_addr frame, uint64_t arg);
void arch_enter_syscall(struct arch_regs *regs, remote_addr syscall_ret, remote_addr frame,
			long nr, const uint64_t args[6]);
/* A chain: what a thread does one after the other on its way back into its frame, each step on
 * a small frame of its own below. The stack of a step is where the frames of those before it
 * were. A step calls a function, or makes a system call, its number in `nr`, at a "syscall;
 * ret". */
struct arch_step {
	remote_addr pc;
	long nr;
	uint64_t args[6];
};
#define ARCH_STEPS_MAX    6
#define ARCH_STEP_SIZE    320u
#define ARCH_SCRATCH_SIZE 256u
struct arch_chain {
	remote_addr frame, restorer; /* these five are the caller's to fill */
	remote_addr vectors;         /* of the last two steps: as they are in the frame */
	uint64_t sigmask;            /* while it lasts */
	uint8_t scratch[ARCH_SCRATCH_SIZE]; /* what the steps point to, at arch_chain_scratch()
					     */
	remote_addr at;
	size_t len;
	uint8_t bytes[(ARCH_STEPS_MAX - 1) * ARCH_STEP_SIZE + ARCH_SCRATCH_SIZE];
};
remote_addr arch_chain_scratch(remote_addr frame);
/* regs, the thread's, become those that begin the first step. */
void arch_chain_build(struct arch_chain *chain, struct arch_regs *regs,
		      const struct arch_step *steps, size_t count);

/* Whether the thread is behind the last call but one, which returns into the last. */
bool arch_chain_is_over(const struct arch_regs *regs, remote_addr frame,
			remote_addr syscall_ret, remote_addr restorer);

/* The bytes of __errno_location(), as glibc and musl have it: where the thread with that thread
 * pointer has its errno. `slot` is null, or the address of a word to be added, which the
 * function reads; code_at is where the bytes are. False when they are not understood. */
#define ARCH_ERRNO_CODE 24u /* bytes */
bool arch_errno_decode(int64_t *offset, remote_addr *slot, struct span code,
		       remote_addr code_at);

/* What a system call returned, at its exit stop. */
int64_t arch_syscall_result(const struct arch_regs *regs);
/* Whether the thread is on its last steps back into the frame: in the system call at
 * syscall_ret that ends a call, or in restorer. */
bool arch_is_returning(const struct arch_regs *regs, remote_addr frame, remote_addr syscall_ret,
		       remote_addr restorer);

/* For the unwinder. */
void arch_frame_start(struct frame_start *out, const struct arch_regs *regs);

#endif
