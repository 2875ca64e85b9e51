/* SPDX-License-Identifier: MIT
 *
 * The tracee's states and the order in which each change is made, which is what lets us be
 * killed between any two lines here:
 *
 *   hijack:  frame on the stack (below the red zone: nobody reads it)
 *            -> registers into the call, return address = the frame (one atomic write)
 *            -> signals blocked (the frame's mask unblocks them again)
 *   restore: vector state -> mask -> registers of the frame (resuming = what rt_sigreturn would
 *            do) -> an event stop, unless it stands in one -> the exact registers, system call
 *            restart included -> detach
 */
#include "inject/trace/tracee.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "inject/base/cleanup.h"
#include "inject/trace/parts.h"
#include "inject/trace/room.h"
#include "inject/trace/wait.h"

int tracee_ptrace_failed(struct tracee *tracee, struct hp_err *err, const char *what)
{
	if (errno == ESRCH) {
		tracee->state = TRACEE_GONE;
		return hp_err_set(err, HP_TARGET_DIED, 0, "%s: thread %d has ended", what,
				  tracee->tid);
	}
	return hp_err_set(err, HP_SYSTEM, errno, "%s of thread %d", what, tracee->tid);
}

int tracee_regs_get(struct tracee *tracee, struct arch_regs *regs, struct hp_err *err)
{
	if (ptrace(PTRACE_GETREGS, tracee->tid, NULL, &regs->gp) < 0)
		return tracee_ptrace_failed(tracee, err, "read the registers");
	return 0;
}

static int regs_set(struct tracee *tracee, const struct arch_regs *regs, struct hp_err *err)
{
	if (ptrace(PTRACE_SETREGS, tracee->tid, NULL, &regs->gp) < 0)
		return tracee_ptrace_failed(tracee, err, "write the registers");
	return 0;
}

static int resume(struct tracee *tracee, enum __ptrace_request request, int signal,
		  struct hp_err *err)
{
	if (ptrace(request, tracee->tid, NULL, (void *)(intptr_t)signal) < 0)
		return tracee_ptrace_failed(tracee, err, "resume");
	tracee->state = TRACEE_RUNNING;
	return 0;
}

static bool is_stopped(const struct tracee *tracee)
{
	return tracee->state != TRACEE_DETACHED && tracee->state != TRACEE_RUNNING &&
	       tracee->state != TRACEE_GONE;
}

static void tracee_fini(struct tracee *tracee)
{
	free(tracee->room);
	tracee->room = NULL;
}

/* ---- stop ---- */

/* Wait for the event stop that PTRACE_INTERRUPT asked for; the program's own signals pass. */
static int wait_event_stop(struct tracee *tracee, struct deadline deadline, struct hp_err *err)
{
	for (;;) {
		int r = tracee_wait(tracee, deadline, err);

		if (r != TRACEE_OK || tracee->state == TRACEE_EVENT_STOP)
			return r;
		if (resume(tracee, PTRACE_CONT, tracee->signal, err) < 0)
			return tracee->state == TRACEE_GONE ? TRACEE_VANISHED : -1;
	}
}

static int seize(struct tracee *tracee, struct hp_err *err)
{
	if (ptrace(PTRACE_SEIZE, tracee->tid, NULL, PTRACE_O_TRACESYSGOOD) == 0) {
		tracee->state = TRACEE_RUNNING;
		return TRACEE_OK;
	}
	if (errno == ESRCH)
		return TRACEE_VANISHED;
	if (errno == EPERM)
		return target_diagnose_eperm(tracee->target, "attach to it", err);
	return hp_err_set(err, HP_SYSTEM, errno, "seize thread %d", tracee->tid);
}

static int stop_seized(struct tracee *tracee, struct deadline deadline, struct hp_err *err)
{
	int r;

	if (ptrace(PTRACE_INTERRUPT, tracee->tid, NULL, NULL) < 0)
		return errno == ESRCH ? TRACEE_VANISHED
				      : tracee_ptrace_failed(tracee, err, "interrupt");
	r = wait_event_stop(tracee, deadline, err);
	if (r != TRACEE_OK)
		return r;
	if (tracee->signal)
		return hp_err_set(err, HP_STOPPED, 0,
				  "the process is stopped by signal %d (%s)", tracee->signal,
				  strsignal(tracee->signal));
	tracee->regs = tracee->now;
	return arch_restart_endless_wait(&tracee->regs) ? regs_set(tracee, &tracee->regs, err)
							: 0;
}

/* The pages that are used are there then. */
static int make_room(struct tracee *tracee, struct hp_err *err)
{
	struct rlimit limit = {.rlim_cur = 0};

	tracee->room = malloc(sizeof(*tracee->room));
	if (!tracee->room)
		return hp_err_set(err, HP_SYSTEM, ENOMEM, "make room for thread %d",
				  tracee->tid);
	memset(tracee->room, 0, sizeof(*tracee->room));
	tracee->room->xstate_ask = arch_xstate_ask();
	/* Another user's limit is not told without CAP_SYS_RESOURCE: no growth then. */
	(void)!prlimit(tracee->target->pid, RLIMIT_STACK, NULL, &limit);
	tracee->room->stack_limit = limit.rlim_cur;
	return 0;
}

int tracee_stop(struct tracee *out, const struct target *target, pid_t tid,
		struct deadline deadline, struct hp_err *err)
{
	struct tracee tracee = {.tid = tid, .target = target, .state = TRACEE_DETACHED};
	struct hp_err ignored;
	int r = make_room(&tracee, err);

	if (r == TRACEE_OK)
		r = seize(&tracee, err);
	if (r != TRACEE_OK) {
		tracee_fini(&tracee);
		return r;
	}
	r = stop_seized(&tracee, deadline, err);
	if (r == -1 && tracee.state == TRACEE_GONE)
		r = TRACEE_VANISHED;
	if (r != TRACEE_OK) {
		if (tracee_release(&tracee, &ignored) < 0 && r < 0)
			hp_err_undo(err, "%s", ignored.text);
		return r;
	}
	*out = tracee;
	return TRACEE_OK;
}

/* ---- hijack ---- */

static int xstate_ask(struct tracee *tracee, size_t len, struct hp_err *err)
{
	struct iovec iov = {tracee->room->xstate, len};

	if (ptrace(PTRACE_GETREGSET, tracee->tid, NT_X86_XSTATE, &iov) < 0)
		return tracee_ptrace_failed(tracee, err, "read the vector state");
	tracee->xstate_len = iov.iov_len;
	return 0;
}

static int xstate_get(struct tracee *tracee, struct hp_err *err)
{
	if (xstate_ask(tracee, tracee->room->xstate_ask, err) < 0)
		return -1;
	if (arch_xstate_is_whole(tracee->room->xstate))
		return 0;
	return xstate_ask(tracee, ARCH_XSTATE_MAX, err);
}

static int no_room(const struct tracee *tracee, int sys_errno, struct hp_err *err)
{
	return hp_err_set(err, HP_NO_SAFE_POINT, sys_errno,
			  "thread %d has no room on its stack", tracee->tid);
}

/* What the call needs below the frame, the kernel maps on the thread's own faults, up to its
 * limit; beyond that the call would end in a fault. */
static bool call_has_room(const struct tracee *tracee, remote_addr frame, size_t room)
{
	return room_is_enough(&tracee->target->maps, arch_sp(&tracee->regs),
			      addr_of(frame.v - room), tracee->room->stack_limit);
}

static bool write_mapped(const struct tracee *tracee, remote_addr at, struct span bytes)
{
	struct iovec from = {(void *)(uintptr_t)bytes.data, bytes.len}; /* NOLINT */
	struct iovec to = {(void *)(uintptr_t)at.v, bytes.len};         /* NOLINT */

	errno = 0;
	return process_vm_writev(tracee->tid, &from, 1, &to, 1, 0) == (ssize_t)bytes.len;
}

/* The kernel grows a stack on faults of its own thread and, since Linux 6.5, for ptrace
 * (mm/memory.c, __access_remote_vm()), but not for process_vm_writev() (mm/gup.c). */
bool tracee_write(const struct tracee *tracee, remote_addr at, struct span bytes)
{
	long word;

	if (write_mapped(tracee, at, bytes))
		return true;
	if (errno != EFAULT || bytes.len < sizeof(word))
		return false;
	memcpy(&word, bytes.data, sizeof(word));
	return ptrace(PTRACE_POKEDATA, tracee->tid, at.v, word) == 0 &&
	       write_mapped(tracee, at, bytes);
}

static int frame_write(struct tracee *tracee, size_t room, struct hp_err *err)
{
	const struct span xstate = {tracee->room->xstate, tracee->xstate_len};
	struct arch_frame *frame = &tracee->room->frame;

	if (arch_frame_build(frame, &tracee->resume, xstate, tracee->sigmask,
			     tracee->target->libc.restore_rt, err) < 0)
		return -1;
	if (!call_has_room(tracee, frame->at, room))
		return no_room(tracee, 0, err);
	if (!tracee_write(tracee, frame->at, (struct span){frame->bytes, frame->len}))
		return no_room(tracee, errno, err);
	tracee->frame = frame->at;
	return 0;
}

int tracee_hijack(struct tracee *tracee, size_t room, struct hp_err *err)
{
	if (ptrace(PTRACE_GETSIGMASK, tracee->tid, sizeof(tracee->sigmask), &tracee->sigmask) <
	    0)
		return tracee_ptrace_failed(tracee, err, "read the signal mask");
	if (xstate_get(tracee, err) < 0)
		return -1;
	arch_resume_context(&tracee->resume, &tracee->regs);
	return frame_write(tracee, room, err);
}

/* Registers first, then the mask: killed in between, the thread runs the call with its own mask
 * and returns through the frame; the other way round it would keep a blocked mask for ever. */
int tracee_enter(struct tracee *tracee, const struct arch_regs *regs, struct hp_err *err)
{
	const uint64_t blocked = TRACEE_BLOCKED_MASK;
	bool first = !tracee->hijacked;

	tracee->hijacked = true;
	tracee->has_vectors = false;
	if (regs_set(tracee, regs, err) < 0)
		return -1;
	if (first && ptrace(PTRACE_SETSIGMASK, tracee->tid, sizeof(blocked), &blocked) < 0)
		return tracee_ptrace_failed(tracee, err, "block the signals");
	return 0;
}

/* SIGSTOP cannot be blocked. It is passed on: the others stop, and this thread when it is let
 * go (ptrace(2), "Group-stop"). All other signals that come while it is hijacked are faults of
 * our own call. */
static int passed_on(const struct tracee *tracee)
{
	return tracee->state == TRACEE_SIGNAL_STOP && tracee->signal == SIGSTOP ? SIGSTOP : 0;
}

static bool has_fault(const struct tracee *tracee)
{
	return tracee->state == TRACEE_SIGNAL_STOP && !passed_on(tracee);
}

/* Wait for the next system call stop; group stops and the like are run through. */
static int wait_syscall_stop(struct tracee *tracee, struct deadline deadline,
			     struct hp_err *err)
{
	for (;;) {
		int r = tracee_wait(tracee, deadline, err);

		if (r == TRACEE_VANISHED)
			return hp_err_set(err, HP_TARGET_DIED, 0, "thread %d ended",
					  tracee->tid);
		if (r < 0)
			return -1;
		if (has_fault(tracee))
			return hp_err_set(err, HP_INTERNAL, 0, "%s in the call that we made",
					  strsignal(tracee->signal));
		if (tracee->state != TRACEE_EVENT_STOP && tracee->state != TRACEE_SIGNAL_STOP)
			return 0;
		if (resume(tracee, PTRACE_SYSCALL, passed_on(tracee), err) < 0)
			return -1;
	}
}

int tracee_syscall_begin(struct tracee *tracee, long nr, const uint64_t args[6],
			 struct hp_err *err)
{
	struct arch_regs regs = tracee->regs;

	arch_enter_syscall(&regs, tracee->target->libc.syscall_ret, tracee->frame, nr, args);
	if (tracee_enter(tracee, &regs, err) < 0)
		return -1;
	return resume(tracee, PTRACE_SYSCALL, passed_on(tracee), err);
}

int tracee_syscall_enter(struct tracee *tracee, struct deadline deadline, struct hp_err *err)
{
	if (wait_syscall_stop(tracee, deadline, err) < 0)
		return -1;
	return tracee->state == TRACEE_SYSCALL_ENTRY ? resume(tracee, PTRACE_SYSCALL, 0, err)
						     : 0;
}

int tracee_syscall_end(int64_t *result, struct tracee *tracee, struct deadline deadline,
		       struct hp_err *err)
{
	struct arch_regs regs;

	if (tracee->state == TRACEE_RUNNING && wait_syscall_stop(tracee, deadline, err) < 0)
		return -1;
	if (tracee_regs_get(tracee, &regs, err) < 0)
		return -1;
	*result = arch_syscall_result(&regs);
	return 0;
}

int tracee_syscall(int64_t *result, struct tracee *tracee, long nr, const uint64_t args[6],
		   struct deadline deadline, struct hp_err *err)
{
	if (tracee_syscall_begin(tracee, nr, args, err) < 0 ||
	    tracee_syscall_enter(tracee, deadline, err) < 0)
		return -1;
	return tracee_syscall_end(result, tracee, deadline, err);
}

int tracee_call(struct tracee *tracee, remote_addr fn, uint64_t arg, struct hp_err *err)
{
	struct arch_regs regs = tracee->regs;

	arch_enter_call(&regs, fn, tracee->frame, arg);
	if (tracee_enter(tracee, &regs, err) < 0)
		return -1;
	return tracee_go_on(tracee, err);
}

int tracee_leave(struct tracee *tracee, remote_addr fn, uint64_t arg, struct hp_err *err)
{
	struct arch_regs regs = tracee->regs;

	arch_enter_call(&regs, fn, tracee->frame, arg);
	if (tracee_enter(tracee, &regs, err) < 0)
		return -1;
	tracee_abandon(tracee);
	return 0;
}

int tracee_check(struct tracee *tracee, struct hp_err *err)
{
	struct hp_err ignored;

	if (tracee_wait(tracee, (struct deadline){0}, &ignored) == TRACEE_VANISHED)
		return hp_err_set(err, HP_TARGET_DIED, 0, "thread %d ended", tracee->tid);
	if (has_fault(tracee))
		return hp_err_set(err, HP_INTERNAL, 0, "%s in the call that we made",
				  strsignal(tracee->signal));
	if (tracee->state == TRACEE_EVENT_STOP || tracee->state == TRACEE_SIGNAL_STOP)
		return resume(tracee, PTRACE_CONT, passed_on(tracee), err);
	return 0;
}

int tracee_go_on(struct tracee *tracee, struct hp_err *err)
{
	return resume(tracee, PTRACE_CONT, passed_on(tracee), err);
}

int tracee_locate(enum tracee_place *out, struct tracee *tracee, remote_addr start,
		  remote_addr end, struct hp_err *err)
{
	const struct libc_info *libc = &tracee->target->libc;
	struct arch_regs regs;

	if (tracee_regs_get(tracee, &regs, err) < 0)
		return -1;
	if (addr_in(arch_pc(&regs), start, end)) {
		*out = TRACEE_IN_CALL;
	} else if (arch_is_returning(&regs, tracee->frame, libc->syscall_ret,
				     libc->restore_rt)) {
		*out = TRACEE_RETURNING;
	} else {
		*out = TRACEE_RETURNED;
		tracee->hijacked = false;
	}
	return 0;
}

/* ---- release ---- */

static int64_t const release_ns = 2000000000;

/* From any stop to one in get_signal(), where registers can be set exactly; to get to another
 * one the thread resumes with those of the frame. */
static int restore_by_frame_context(struct tracee *tracee, struct hp_err *err)
{
	/* The kernel wants it whole, and takes what it has a place for. */
	struct iovec iov = {tracee->room->xstate, sizeof(tracee->room->xstate)};
	int r;

	if (!tracee->has_vectors &&
	    ptrace(PTRACE_SETREGSET, tracee->tid, NT_X86_XSTATE, &iov) < 0)
		return tracee_ptrace_failed(tracee, err, "restore the vector state");
	if (ptrace(PTRACE_SETSIGMASK, tracee->tid, sizeof(tracee->sigmask), &tracee->sigmask) <
	    0)
		return tracee_ptrace_failed(tracee, err, "restore the signal mask");
	if (tracee->state == TRACEE_EVENT_STOP)
		return 0; /* where the exact ones are set at once */
	if (regs_set(tracee, &tracee->resume, err) < 0)
		return -1;
	/* At a system call's entry orig_rax is -1 now, so that it is skipped and rax stays
	 * (arch/x86/entry/common.c, do_syscall_64). */
	if (ptrace(PTRACE_INTERRUPT, tracee->tid, NULL, NULL) < 0)
		return tracee_ptrace_failed(tracee, err, "interrupt");
	do {
		if (resume(tracee, PTRACE_CONT, passed_on(tracee), err) < 0)
			return -1;
		r = tracee_wait(tracee, deadline_after_ns(release_ns), err);
	} while (r == TRACEE_OK && tracee->state != TRACEE_EVENT_STOP &&
		 tracee->state != TRACEE_SIGNAL_STOP);
	if (r == TRACEE_VANISHED)
		return hp_err_set(err, HP_TARGET_DIED, 0, "thread %d ended", tracee->tid);
	return r;
}

int tracee_take_back(struct tracee *tracee, struct hp_err *err)
{
	if (tracee->state != TRACEE_RUNNING)
		return 0;
	if (ptrace(PTRACE_INTERRUPT, tracee->tid, NULL, NULL) < 0)
		return tracee_ptrace_failed(tracee, err, "interrupt");
	if (tracee_wait(tracee, deadline_after_ns(release_ns), err) < 0)
		return -1;
	return 0;
}

int tracee_restore(struct tracee *tracee, struct hp_err *err)
{
	if (tracee->state == TRACEE_DETACHED)
		return 0;
	if (tracee_take_back(tracee, err) < 0)
		return -1;
	if (tracee->state == TRACEE_GONE || !tracee->hijacked)
		return 0;
	if (has_fault(tracee))
		tracee->signal = 0; /* not the program's */
	if (restore_by_frame_context(tracee, err) < 0 ||
	    regs_set(tracee, &tracee->regs, err) < 0)
		return -1;
	tracee->hijacked = false;
	return 0;
}

int tracee_release(struct tracee *tracee, struct hp_err *err)
{
	int r = tracee_restore(tracee, err);

	if (is_stopped(tracee)) {
		/* A group stop's signal is not ours to deliver again. */
		int signal = tracee->state == TRACEE_SIGNAL_STOP ? tracee->signal : 0;

		if (ptrace(PTRACE_DETACH, tracee->tid, NULL, (void *)(intptr_t)signal) < 0 &&
		    errno != ESRCH && r == 0)
			r = hp_err_set(err, HP_NOT_RESTORED, errno, "detach from thread %d",
				       tracee->tid);
	}
	tracee->state = TRACEE_DETACHED;
	tracee_fini(tracee);
	if (r < 0 && err->kind == HP_TARGET_DIED)
		r = 0; /* a thread that has ended needs nothing back */
	if (r < 0)
		err->kind = HP_NOT_RESTORED;
	return r;
}

void tracee_abandon(struct tracee *tracee)
{
	struct hp_err ignored;

	/* What cannot be stopped now is let go by the kernel when we end. */
	if (tracee_take_back(tracee, &ignored) == 0 && is_stopped(tracee)) {
		int signal = tracee->state == TRACEE_SIGNAL_STOP ? tracee->signal : 0;

		ptrace(PTRACE_DETACH, tracee->tid, NULL, (void *)(intptr_t)signal);
	}
	tracee->state = TRACEE_DETACHED;
	tracee_fini(tracee);
}
