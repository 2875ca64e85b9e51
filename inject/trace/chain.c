/* SPDX-License-Identifier: MIT
 *
 * See chain.h. Behind the steps come two more:
 *
 *   process_vm_readv of its own process: puts errno back, and says that they are done
 *   rt_sigtimedwait for no signal: there the thread is stopped
 *
 * The wait is no function of libc's, which would set errno.
 */
#include "inject/trace/chain.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "inject/trace/parts.h"

/* Were we killed, the thread would wait so long for us. */
#define WAIT_NS 50000000

#define SPIN_NS      150000 /* it takes some 40 us */
#define PAUSE_MIN_NS 10000
#define PAUSE_MAX_NS 1000000

/* In the target's stack. */
struct scratch {
	uint64_t data[CHAIN_DATA];
	uint64_t no_signals;
	int64_t wait[2];
	struct iovec to[2], from;
	uint32_t error_number, one; /* what is copied: from here */
	uint32_t is_done;
};
_Static_assert(sizeof(struct scratch) <= ARCH_SCRATCH_SIZE, "scratch");

static remote_addr at_scratch(const struct tracee *tracee, size_t offset)
{
	return addr_add(arch_chain_scratch(tracee->frame), offset);
}
#define AT(tracee, member) at_scratch(tracee, offsetof(struct scratch, member))

remote_addr chain_data(const struct tracee *tracee)
{
	return AT(tracee, data);
}

/* ---- before the stop ---- */

static bool find_errno(struct chains *out, const struct target *target)
{
	const remote_addr at = target_libc_symbol(target, "__errno_location");
	uint8_t code[ARCH_ERRNO_CODE];
	struct hp_err ignored;
	remote_addr slot;
	int64_t more = 0;

	if (addr_is_null(at) || target_read(target, at, code, sizeof(code), &ignored) < 0 ||
	    !arch_errno_decode(&out->errno_offset, &slot, (struct span){code, sizeof(code)},
			       at))
		return false;
	if (!addr_is_null(slot) && target_read(target, slot, &more, sizeof(more), &ignored) < 0)
		return false;
	out->errno_offset += more;
	return true;
}

void chains_find(struct chains *out, const struct target *target)
{
	const pid_t inner_pid = proc_status_inner_pid(&target->status, target->pid);

	*out = (struct chains){.inner_pid = inner_pid ? inner_pid : target->pid};
	out->are_possible = find_errno(out, target);
}

/* ---- the chain ---- */

static remote_addr errno_of(const struct tracee *tracee, const struct chains *chains)
{
	return addr_of(arch_thread_pointer(&tracee->regs) + (uint64_t)chains->errno_offset);
}

static struct iovec remote_iovec(remote_addr at, size_t len)
{
	return (struct iovec){(void *)(uintptr_t)at.v, len}; /* NOLINT */
}

/* False when there is no place for it: nothing was done then. */
static bool prepare(struct arch_regs *regs, struct tracee *tracee, const struct chains *chains,
		    const struct chain *chain)
{
	const remote_addr error_number = errno_of(tracee, chains);
	const remote_addr syscall_ret = tracee->target->libc.syscall_ret;
	struct arch_step steps[ARCH_STEPS_MAX];
	struct scratch scratch = {
		.wait = {0, WAIT_NS},
		.to = {remote_iovec(error_number, sizeof(uint32_t)),
		       remote_iovec(AT(tracee, is_done), sizeof(uint32_t))},
		.from = remote_iovec(AT(tracee, error_number), 2 * sizeof(uint32_t)),
		.one = 1,
	};
	struct arch_chain whole = {.frame = tracee->frame,
				   .restorer = tracee->target->libc.restore_rt,
				   .vectors = tracee->room->frame.vectors,
				   .sigmask = TRACEE_BLOCKED_MASK};
	struct hp_err ignored;

	if (target_read(tracee->target, error_number, &scratch.error_number,
			sizeof(scratch.error_number), &ignored) < 0)
		return false;
	memcpy(scratch.data, chain->data, sizeof(scratch.data));
	memcpy(whole.scratch, &scratch, sizeof(scratch));
	memcpy(steps, chain->steps, chain->count * sizeof(*steps));
	steps[chain->count] = (struct arch_step){
		syscall_ret,
		SYS_process_vm_readv,
		{(uint64_t)chains->inner_pid, AT(tracee, to).v, 2, AT(tracee, from).v, 1}};
	steps[chain->count + 1] = (struct arch_step){
		syscall_ret,
		SYS_rt_sigtimedwait,
		{AT(tracee, no_signals).v, 0, AT(tracee, wait).v, sizeof(uint64_t)}};
	arch_chain_build(&whole, regs, steps, chain->count + 2);
	return tracee_write(tracee, whole.at, (struct span){whole.bytes, whole.len});
}

/* Mostly it is done before it is worth while to sleep. */
static void pause_between(struct timespec *pause, struct deadline spin)
{
	if (!deadline_passed(spin))
		return;
	nanosleep(pause, NULL);
	if (pause->tv_nsec < PAUSE_MAX_NS)
		pause->tv_nsec *= 2;
}

/* ---- where it stands ---- */

/* Where a thread stands is told by what it blocks. SIGKILL and SIGSTOP nobody blocks, and glibc
 * keeps 32 and 33 for itself. */
static bool blocks_all(uint64_t mask)
{
	const uint64_t told =
		TRACEE_BLOCKED_MASK &
		~(TRACEE_BIT(SIGKILL) | TRACEE_BIT(SIGSTOP) | TRACEE_BIT(32) | TRACEE_BIT(33));

	return (mask & told) == told;
}

/* What a wait goes on with by restart_syscall is lost with the first rt_sigreturn
 * (arch/x86/kernel/signal_64.c, restore_sigcontext(), Linux 6.1). */
bool chain_is_exact(const struct tracee *tracee)
{
	struct arch_regs regs = tracee->regs;

	return !blocks_all(tracee->sigmask) && !arch_reissue_wait(&regs);
}

/* In doubt the thread has returned: it is left alone then. */
static int note_place(struct tracee *tracee, bool is_over, struct hp_err *err)
{
	const struct libc_info *libc = &tracee->target->libc;
	const struct arch_regs *regs = &tracee->now;
	uint64_t mask;

	if (ptrace(PTRACE_GETSIGMASK, tracee->tid, sizeof(mask), &mask) < 0)
		return tracee_ptrace_failed(tracee, err, "read the signal mask");
	tracee->hijacked = blocks_all(mask) &&
			   (is_over ? arch_chain_is_over(regs, tracee->frame, libc->syscall_ret,
							 libc->restore_rt)
				    : arch_sp(regs).v < tracee->frame.v);
	return 0;
}

/* In the middle of a call. The errno that it has is ours. */
static void put_errno_back(const struct tracee *tracee, const struct chains *chains)
{
	const remote_addr at = AT(tracee, error_number);
	struct iovec to = remote_iovec(errno_of(tracee, chains), sizeof(uint32_t));
	struct hp_err ignored;
	uint32_t number;
	struct iovec from = {&number, sizeof(number)};

	if (target_read(tracee->target, at, &number, sizeof(number), &ignored) == 0)
		(void)!process_vm_writev(tracee->tid, &from, 1, &to, 1, 0);
}

/* It is to be restored from there, unless it has come out of it after all. */
static int too_long(struct tracee *tracee, struct hp_err *err)
{
	if (tracee_take_back(tracee, err) < 0 || note_place(tracee, false, err) < 0)
		return -1;
	return hp_err_set(err, HP_TIMEOUT, 0, "thread %d did not end its call in time",
			  tracee->tid);
}

/* The mark, and behind that what it stands for: the kernel reads one after the other
 * (mm/process_vm_access.c). */
static int look(uint32_t *is_done, struct tracee *tracee, struct chain *chain,
		struct hp_err *err)
{
	const struct iovec to[2] = {{is_done, sizeof(*is_done)},
				    {chain->data, sizeof(chain->data)}};
	const struct iovec from[2] = {remote_iovec(AT(tracee, is_done), sizeof(*is_done)),
				      remote_iovec(chain_data(tracee), sizeof(chain->data))};
	const ssize_t len = sizeof(*is_done) + sizeof(chain->data);

	if (process_vm_readv(tracee->tid, to, 2, from, 2, 0) == len)
		return 0;
	return hp_err_set(err, HP_SYSTEM, errno, "look at thread %d", tracee->tid);
}

static int await_done(struct tracee *tracee, struct chain *chain, struct deadline deadline,
		      struct hp_err *err)
{
	const struct deadline spin = deadline_after_ns(SPIN_NS);
	struct timespec pause = {.tv_nsec = PAUSE_MIN_NS};
	uint32_t is_done = 0;

	for (;;) {
		if (tracee_check(tracee, err) < 0 || look(&is_done, tracee, chain, err) < 0)
			return -1;
		if (is_done)
			return 0;
		if (deadline_passed(deadline))
			return too_long(tracee, err);
		pause_between(&pause, spin);
	}
}

/* On its way into its wait or in it: all is done, and it can be put back from there. Or behind
 * it, when we were late. */
static int stop_it(struct tracee *tracee, struct hp_err *err)
{
	return tracee_take_back(tracee, err) < 0 ? -1 : note_place(tracee, true, err);
}

int chain_begin(struct tracee *tracee, const struct chains *chains, const struct chain *chain,
		struct hp_err *err)
{
	struct arch_regs regs = tracee->regs;

	if (!chains->are_possible || !prepare(&regs, tracee, chains, chain))
		return CHAIN_NOT;
	if (tracee_enter(tracee, &regs, err) < 0 || tracee_go_on(tracee, err) < 0)
		return -1;
	return CHAIN_DONE;
}

int chain_end(struct tracee *tracee, const struct chains *chains, struct chain *chain,
	      struct deadline deadline, struct hp_err *err)
{
	if (await_done(tracee, chain, deadline, err) < 0) {
		if (tracee->hijacked)
			put_errno_back(tracee, chains);
		return -1;
	}
	if (stop_it(tracee, err) < 0)
		return -1;
	tracee->has_vectors = tracee->hijacked;
	return CHAIN_DONE;
}

int chain_run(struct tracee *tracee, const struct chains *chains, struct chain *chain,
	      struct deadline deadline, struct hp_err *err)
{
	const int r = chain_begin(tracee, chains, chain, err);

	return r == CHAIN_DONE ? chain_end(tracee, chains, chain, deadline, err) : r;
}
