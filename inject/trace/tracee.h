/* SPDX-License-Identifier: MIT
 *
 * One thread under ptrace: stopped, hijacked for a call, restored, let go. The only user of
 * ptrace. The caller says which state it wants the thread in, not which requests to send.
 *
 * The invariant: at every instant the thread can be abandoned (our death detaches it) and goes
 * on correctly. Until tracee_hijack() nothing of it was changed but how a wait that the stop
 * interrupted goes on (restart.h); from then on its stack holds a signal frame into which
 * everything that it executes returns.
 */
#ifndef INJECT_TRACE_TRACEE_H
#define INJECT_TRACE_TRACEE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "inject/arch/arch.h"
#include "inject/base/deadline.h"
#include "inject/base/err.h"
#include "inject/target/seccomp.h"
#include "inject/target/target.h"

enum tracee_state {
	TRACEE_DETACHED,
	TRACEE_RUNNING,     /* seized, or resumed by us */
	TRACEE_EVENT_STOP,  /* in get_signal(): what is written to the registers now is final */
	TRACEE_SIGNAL_STOP, /* likewise, about to be given `signal` */
	TRACEE_SYSCALL_ENTRY, /* about to execute a system call */
	TRACEE_SYSCALL_EXIT,
	TRACEE_GONE,
};

/* Made before the stop: not to look for it while the thread is held. */
struct tracee_room {
	uint64_t stack_limit;            /* RLIMIT_STACK; 0: not known */
	size_t xstate_ask;               /* arch_xstate_ask() */
	uint8_t xstate[ARCH_XSTATE_MAX]; /* as it was found; zeros behind */
	struct arch_frame frame;
};

struct tracee {
	const struct target *target; /* borrowed */
	pid_t tid;
	enum tracee_state state;
	int signal;               /* in TRACEE_SIGNAL_STOP: to be delivered when resumed */
	bool in_syscall;          /* the next syscall stop is an exit */
	struct arch_regs regs;    /* as it was found */
	struct arch_regs now;     /* in TRACEE_EVENT_STOP and TRACEE_SIGNAL_STOP */
	bool hijacked;            /* registers were changed */
	uint64_t sigmask;         /* as it was found; valid when hijacked */
	struct tracee_room *room; /* owned */
	size_t xstate_len;        /* of what is in it; valid when hijacked */
	bool has_vectors;         /* its vector state is as it was found */
	struct arch_regs resume;  /* what the frame holds */
	remote_addr frame;
};

/* Outcomes that are no errors: another thread may do. */
enum tracee_outcome {
	TRACEE_OK = 0,
	TRACEE_VANISHED = 1, /* the thread has ended */
};

/* Seize and interrupt tid. Returns TRACEE_OK with the thread stopped and its registers read,
 * TRACEE_VANISHED, or -1: HP_STOPPED when the process is stopped by a signal, HP_TIMEOUT, the
 * diagnosis of an EPERM. In both latter cases nothing is left behind; tracee_release() is
 * harmless. */
HP_MUST_CHECK int tracee_stop(struct tracee *out, const struct target *target, pid_t tid,
			      struct deadline deadline, struct hp_err *err);

/* The seccomp filters of the stopped thread; none is no error. OBSTACLE_SECCOMP_UNREADABLE when
 * there are some that the kernel does not show us. */
HP_MUST_CHECK int tracee_filters(struct seccomp_filters *out, struct tracee *tracee,
				 struct hp_err *err);

/* Put the signal frame on the stack of the stopped thread, so that calls can be made on it that
 * need up to `room` bytes below. Fails when there is no such room (HP_NO_SAFE_POINT). */
HP_MUST_CHECK int tracee_hijack(struct tracee *tracee, size_t room, struct hp_err *err);

/* For pthread_create(): it took under 3 KiB on glibc 2.36; a program's own malloc may take
 * more. */
#define TRACEE_ROOM (16u << 10)

/* Make a system call on the hijacked thread; *result is what the kernel returned (-errno when
 * it failed). */
HP_MUST_CHECK int tracee_syscall(int64_t *result, struct tracee *tracee, long nr,
				 const uint64_t args[6], struct deadline deadline,
				 struct hp_err *err);
/* The same in three parts: in between the thread runs, and we can do something else. */
HP_MUST_CHECK int tracee_syscall_begin(struct tracee *tracee, long nr, const uint64_t args[6],
				       struct hp_err *err);
HP_MUST_CHECK int tracee_syscall_enter(struct tracee *tracee, struct deadline deadline,
				       struct hp_err *err);
HP_MUST_CHECK int tracee_syscall_end(int64_t *result, struct tracee *tracee,
				     struct deadline deadline, struct hp_err *err);

/* Begin the call fn(arg) on the hijacked thread and let it run. It ends by tracee_take_back().
 */
HP_MUST_CHECK int tracee_call(struct tracee *tracee, remote_addr fn, uint64_t arg,
			      struct hp_err *err);

/* Let the hijacked thread go into fn(arg) for good: it is nobody's tracee any more. */
HP_MUST_CHECK int tracee_leave(struct tracee *tracee, remote_addr fn, uint64_t arg,
			       struct hp_err *err);

/* Whether a call that was begun still goes on: -1 when it faulted (HP_INTERNAL) or its thread
 * ended. Never waits. */
HP_MUST_CHECK int tracee_check(struct tracee *tracee, struct hp_err *err);

/* Stop a call, so that others can be made in its stead. */
HP_MUST_CHECK int tracee_take_back(struct tracee *tracee, struct hp_err *err);

/* Let a call that was stopped go on. */
HP_MUST_CHECK int tracee_go_on(struct tracee *tracee, struct hp_err *err);

/* After tracee_take_back(): where a call stands whose code is [start, end). A call that has
 * returned was restored by the frame, and is not restored again. */
enum tracee_place { TRACEE_IN_CALL, TRACEE_RETURNING, TRACEE_RETURNED };
HP_MUST_CHECK int tracee_locate(enum tracee_place *out, struct tracee *tracee,
				remote_addr start, remote_addr end, struct hp_err *err);

/* Restore the thread exactly as it was found, also from the middle of a call, and keep it
 * stopped: whatever happens from here on, it executes nothing of ours any more. */
HP_MUST_CHECK int tracee_restore(struct tracee *tracee, struct hp_err *err);

/* The same, and let it go.
 * Frees what tracee owns. On failure (HP_NOT_RESTORED) the thread was let go on the way of the
 * frame. */
HP_MUST_CHECK int tracee_release(struct tracee *tracee, struct hp_err *err);

/* Let it go in the middle of a call that must not be cut short: it returns by the frame, as it
 * would were we killed. Frees what tracee owns. */
void tracee_abandon(struct tracee *tracee);

/* The address of the thread's rseq_cs field's content: nonzero when it is inside a restartable
 * sequence, 0 otherwise, in a system call, or when the kernel cannot tell (before 5.13). */
uint64_t tracee_rseq_cs(const struct tracee *tracee);

#endif
