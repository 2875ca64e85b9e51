/* SPDX-License-Identifier: MIT
 *
 * x86-64. The frame is the kernel's own struct rt_sigframe (arch/x86/include/asm/sigframe.h) as
 * rt_sigreturn reads it (arch/x86/kernel/signal_64.c, arch/x86/kernel/fpu/signal.c, Linux 6.1):
 *
 *      sp of the thread ->  +--------------------------------+
 *                           | red zone, 128 bytes            |  belongs to the thread
 *      64-aligned           +--------------------------------+
 *                           | XSAVE area, magic2             |
 *      fpstate -----------> +--------------------------------+
 *                           | siginfo (unread): a note       |
 *                           | ucontext: registers, mask      |
 *                           | return address: __restore_rt   |
 *      frame, 16n + 8 ----> +--------------------------------+  new sp: "as if called"
 */
#include <cpuid.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "inject/arch/arch.h"

#define RED_ZONE 128u

/* include/linux/errno.h: never seen by programs, only by tracers. */
#define KERNEL_ERESTARTSYS           512
#define KERNEL_ERESTARTNOINTR        513
#define KERNEL_ERESTARTNOHAND        514
#define KERNEL_ERESTART_RESTARTBLOCK 516

#define EFLAGS_TF 0x100u
#define EFLAGS_DF 0x400u

/* arch/x86/include/uapi/asm/sigcontext.h */
#define XSTATE_MAGIC1     0x46505853u
#define XSTATE_MAGIC2     0x46505845u
#define XSTATE_SW_OFFSET  464u /* software-reserved bytes of the FXSAVE area */
#define XSTATE_BV_OFFSET  512u
#define XSTATE_MIN        576u
#define XFEATURE_TILEDATA (1ull << 18)

struct fpx_sw_bytes {
	uint32_t magic1, extended_size;
	uint64_t xfeatures;
	uint32_t xstate_size, padding[7];
};

/* arch/x86/include/uapi/asm/ucontext.h */
#define UC_FP_XSTATE         1u
#define UC_SIGCONTEXT_SS     2u
#define UC_STRICT_RESTORE_SS 4u

struct kernel_ucontext {
	uint64_t uc_flags, uc_link;
	struct {
		uint64_t sp;
		uint32_t flags, padding;
		uint64_t size;
	} uc_stack;
	struct {
		uint64_t r8, r9, r10, r11, r12, r13, r14, r15, di, si, bp, bx, dx, ax, cx, sp,
			ip, flags;
		uint16_t cs, gs, fs, ss;
		uint64_t err, trapno, oldmask, cr2, fpstate, reserved[8];
	} uc_mcontext;
	uint64_t uc_sigmask;
};

struct rt_sigframe {
	uint64_t pretcode;
	struct kernel_ucontext uc;
	char info[128]; /* siginfo, which rt_sigreturn does not read: room for the note */
};
_Static_assert(sizeof(struct fpx_sw_bytes) == 48, "kernel layout");
_Static_assert(sizeof(struct kernel_ucontext) == 304, "kernel layout");
_Static_assert(sizeof(struct rt_sigframe) == 440, "kernel layout");
#define STEP_FRAME offsetof(struct rt_sigframe, info) /* what rt_sigreturn reads of it */
_Static_assert(ARCH_STEP_SIZE >= STEP_FRAME && ARCH_STEP_SIZE % 16 == 0 &&
		       ARCH_SCRATCH_SIZE % 16 == 0,
	       "stack alignment");

remote_addr arch_pc(const struct arch_regs *regs)
{
	return addr_of(regs->gp.rip);
}

remote_addr arch_sp(const struct arch_regs *regs)
{
	return addr_of(regs->gp.rsp);
}

uint64_t arch_thread_pointer(const struct arch_regs *regs)
{
	return regs->gp.fs_base;
}

long arch_syscall(const struct arch_regs *regs, uint64_t args[6])
{
	if (args) {
		args[0] = regs->gp.rdi;
		args[1] = regs->gp.rsi;
		args[2] = regs->gp.rdx;
		args[3] = regs->gp.r10;
		args[4] = regs->gp.r8;
		args[5] = regs->gp.r9;
	}
	return (long)regs->gp.orig_rax < 0 ? -1 : (long)regs->gp.orig_rax;
}

bool arch_restart_endless_wait(struct arch_regs *regs)
{
	bool endless = false;

	if ((int64_t)regs->gp.rax != -EINTR)
		return false;
	switch ((long)regs->gp.orig_rax) {
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
		endless = (int32_t)regs->gp.r10 < 0; /* timeout in ms */
		break;
	case SYS_epoll_pwait2:
		endless = regs->gp.r10 == 0; /* no timespec */
		break;
	default:
		break;
	}
	if (endless)
		regs->gp.rax = (uint64_t)-KERNEL_ERESTARTNOHAND;
	return endless;
}

bool arch_reissue_wait(struct arch_regs *regs)
{
	if ((long)regs->gp.orig_rax < 0 ||
	    (int64_t)regs->gp.rax != -KERNEL_ERESTART_RESTARTBLOCK)
		return false;
	/* Issued again by the kernel, unless a handler runs: then it is EINTR, as it would have
	 * been. */
	regs->gp.rax = (uint64_t)-KERNEL_ERESTARTNOHAND;
	return true;
}

void arch_resume_context(struct arch_regs *out, const struct arch_regs *stopped)
{
	*out = *stopped;
	if (arch_syscall(stopped, NULL) >= 0) {
		switch (-(int64_t)stopped->gp.rax) {
		case KERNEL_ERESTARTSYS:
		case KERNEL_ERESTARTNOINTR:
		case KERNEL_ERESTARTNOHAND:
			out->gp.rax = stopped->gp.orig_rax;
			out->gp.rip -= 2; /* back onto the syscall instruction */
			break;
		case KERNEL_ERESTART_RESTARTBLOCK:
			out->gp.rax = (uint64_t)-EINTR;
			break;
		default:
			break;
		}
	}
	out->gp.orig_rax = (uint64_t)-1;
}

/* The tile data comes last in the standard XSAVE format (CPUID leaf 0xD). In a virtual machine
 * each CPUID leaves it, and takes a microsecond. */
size_t arch_xstate_ask(void)
{
	unsigned offset = 0, len = 0, c, d;

	if (!__get_cpuid_count(0xd, 18, &len, &offset, &c, &d) || !len)
		return ARCH_XSTATE_MAX;
	return offset < XSTATE_MIN || offset > ARCH_XSTATE_MAX ? ARCH_XSTATE_MAX : offset;
}

static bool has_tiles(const uint8_t *xstate)
{
	uint64_t in_use;

	memcpy(&in_use, xstate + XSTATE_BV_OFFSET, sizeof(in_use));
	return in_use & XFEATURE_TILEDATA;
}

bool arch_xstate_is_whole(const uint8_t *xstate)
{
	return !has_tiles(xstate);
}

/* Make it what the kernel accepts in a signal frame, magic2 behind it. The kernel falls back to
 * the legacy registers alone when there is more than the task may use: AMX tile data only on
 * permission; so it is left out unless in use. */
static void xstate_write(uint8_t *at, struct span xstate)
{
	const uint8_t *from = xstate.data;
	const uint32_t magic2 = XSTATE_MAGIC2;
	const size_t size = xstate.len;
	uint64_t features;

	memcpy(&features, from + XSTATE_SW_OFFSET, sizeof(features));
	if (!has_tiles(from))
		features &= ~XFEATURE_TILEDATA;

	const struct fpx_sw_bytes sw = {
		.magic1 = XSTATE_MAGIC1,
		.extended_size = (uint32_t)(size + sizeof(magic2)),
		.xfeatures = features,
		.xstate_size = (uint32_t)size,
	};

	memcpy(at, from, size);
	memcpy(at + XSTATE_SW_OFFSET, &sw, sizeof(sw));
	memcpy(at + size, &magic2, sizeof(magic2));
}

static void context_fill(struct kernel_ucontext *uc, const struct user_regs_struct *gp)
{
	*uc = (struct kernel_ucontext){
		.uc_flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS,
		/* Neither 0, SS_ONSTACK nor SS_DISABLE: rt_sigreturn fails to set it, ignores
		 * that, and the alternate stack stays as it is. SS_DISABLE would remove
		 * faulthandler's. */
		.uc_stack = {.flags = 0x5a5a},
		.uc_mcontext =
			{
				.r8 = gp->r8,
				.r9 = gp->r9,
				.r10 = gp->r10,
				.r11 = gp->r11,
				.r12 = gp->r12,
				.r13 = gp->r13,
				.r14 = gp->r14,
				.r15 = gp->r15,
				.di = gp->rdi,
				.si = gp->rsi,
				.bp = gp->rbp,
				.bx = gp->rbx,
				.dx = gp->rdx,
				.ax = gp->rax,
				.cx = gp->rcx,
				.sp = gp->rsp,
				.ip = gp->rip,
				.flags = gp->eflags,
				.cs = (uint16_t)gp->cs,
				.ss = (uint16_t)gp->ss,
			},
	};
}

int arch_frame_build(struct arch_frame *out, const struct arch_regs *resume, struct span xstate,
		     uint64_t sigmask, remote_addr restorer, struct hp_err *err)
{
	struct rt_sigframe frame = {.pretcode = restorer.v, .info = ARCH_FRAME_NOTE};
	uint64_t fpstate, at;

	if (xstate.len < XSTATE_MIN || xstate.len > ARCH_XSTATE_MAX - 64)
		return hp_err_set(err, HP_UNSUPPORTED, 0, "vector state of %zu bytes",
				  xstate.len);
	fpstate = (resume->gp.rsp - RED_ZONE - xstate.len - sizeof(uint32_t)) & ~63ull;
	at = ((fpstate - sizeof(frame)) & ~15ull) - 8;
	context_fill(&frame.uc, &resume->gp);
	frame.uc.uc_mcontext.fpstate = fpstate;
	frame.uc.uc_sigmask = sigmask;
	memset(out->bytes, 0, fpstate - at);
	memcpy(out->bytes, &frame, sizeof(frame));
	xstate_write(out->bytes + (fpstate - at), xstate);
	out->len = (size_t)(fpstate - at) + xstate.len + sizeof(uint32_t);
	out->at = addr_of(at);
	out->vectors = addr_of(fpstate);
	return 0;
}

remote_addr arch_frame_note(remote_addr frame)
{
	return addr_add(frame, offsetof(struct rt_sigframe, info));
}

static void enter(struct arch_regs *regs, remote_addr pc, remote_addr frame)
{
	regs->gp.rip = pc.v;
	regs->gp.rsp = frame.v;
	regs->gp.eflags &= ~(uint64_t)(EFLAGS_DF | EFLAGS_TF); /* the ABI wants DF clear */
	regs->gp.orig_rax = (uint64_t)-1;                      /* no system call to restart */
}

void arch_enter_call(struct arch_regs *regs, remote_addr fn, remote_addr frame, uint64_t arg)
{
	enter(regs, fn, frame);
	regs->gp.rdi = arg;
	regs->gp.rax = 0;
}

void arch_enter_syscall(struct arch_regs *regs, remote_addr syscall_ret, remote_addr frame,
			long nr, const uint64_t args[6])
{
	enter(regs, syscall_ret, frame);
	regs->gp.rax = (uint64_t)nr;
	regs->gp.rdi = args[0];
	regs->gp.rsi = args[1];
	regs->gp.rdx = args[2];
	regs->gp.r10 = args[3];
	regs->gp.r8 = args[4];
	regs->gp.r9 = args[5];
}

static void enter_step(struct arch_regs *regs, const struct arch_step *step, remote_addr back)
{
	enter(regs, step->pc, back);
	regs->gp.rax = (uint64_t)step->nr;
	regs->gp.rdi = step->args[0];
	regs->gp.rsi = step->args[1];
	regs->gp.rdx = step->args[2];
	regs->gp.rcx = regs->gp.r10 = step->args[3]; /* a function's; a system call's */
	regs->gp.r8 = step->args[4];
	regs->gp.r9 = step->args[5];
}

remote_addr arch_chain_scratch(remote_addr frame)
{
	return addr_of(frame.v - ARCH_SCRATCH_SIZE);
}

/* The vector state of the steps is the initial one (arch/x86/kernel/fpu/signal.c,
 * fpu__restore_sig() without a pointer), but for the last two. */
void arch_chain_build(struct arch_chain *chain, struct arch_regs *regs,
		      const struct arch_step *steps, size_t count)
{
	const size_t frames = (count - 1) * ARCH_STEP_SIZE;

	chain->len = frames + ARCH_SCRATCH_SIZE;
	chain->at = addr_of(chain->frame.v - chain->len);
	memset(chain->bytes, 0, frames);
	memcpy(chain->bytes + frames, chain->scratch, ARCH_SCRATCH_SIZE);
	for (size_t i = 1; i < count; i++) {
		struct rt_sigframe step = {.pretcode = chain->restorer.v};
		struct arch_regs begin = *regs;

		enter_step(&begin, &steps[i],
			   i + 1 < count ? addr_add(chain->at, i * ARCH_STEP_SIZE)
					 : chain->frame);
		context_fill(&step.uc, &begin.gp);
		step.uc.uc_sigmask = chain->sigmask;
		if (i + 2 >= count)
			step.uc.uc_mcontext.fpstate = chain->vectors.v;
		memcpy(chain->bytes + (i - 1) * ARCH_STEP_SIZE, &step, STEP_FRAME);
	}
	enter_step(regs, &steps[0], count > 1 ? chain->at : chain->frame);
}

/* mov disp32(%rip), %rax; add %fs:0, %rax; ret in a shared glibc, mov $imm32, %rax in place of
 * the first where it is linked into the program; in musl mov %fs:0, %rax; add $imm8, %rax; ret.
 */
bool arch_errno_decode(int64_t *offset, remote_addr *slot, struct span code,
		       remote_addr code_at)
{
	static const uint8_t endbr[] = {0xf3, 0x0f, 0x1e, 0xfa},
			     relative[] = {0x48, 0x8b, 0x05}, immediate[] = {0x48, 0xc7, 0xc0},
			     add_fs[] = {0x64, 0x48, 0x03, 0x04, 0x25, 0, 0, 0, 0, 0xc3},
			     load_fs[] = {0x64, 0x48, 0x8b, 0x04, 0x25, 0,
					  0,    0,    0,    0x48, 0x83, 0xc0};
	const uint8_t *b = code.data;
	int32_t word;

	if (code.len < ARCH_ERRNO_CODE)
		return false;
	if (!memcmp(b, endbr, sizeof(endbr)))
		b += sizeof(endbr);
	*slot = addr_of(0);
	*offset = 0;
	if (!memcmp(b, load_fs, sizeof(load_fs))) {
		*offset = (int8_t)b[sizeof(load_fs)];
		return b[sizeof(load_fs) + 1] == 0xc3;
	}
	if (memcmp(b + 7, add_fs, sizeof(add_fs)) != 0)
		return false;
	memcpy(&word, b + 3, sizeof(word));
	if (!memcmp(b, immediate, sizeof(immediate)))
		*offset = word;
	else if (!memcmp(b, relative, sizeof(relative)))
		*slot = addr_add(code_at, (uint64_t)(b + 7 - (const uint8_t *)code.data) +
						  (uint64_t)(int64_t)word);
	else
		return false;
	return true;
}

int64_t arch_syscall_result(const struct arch_regs *regs)
{
	return (int64_t)regs->gp.rax;
}

bool arch_is_returning(const struct arch_regs *regs, remote_addr frame, remote_addr syscall_ret,
		       remote_addr restorer)
{
	const uint64_t pc = regs->gp.rip, sp = regs->gp.rsp;

	if (sp == frame.v) /* syscall; ret */
		return pc >= syscall_ret.v && pc <= syscall_ret.v + 2;
	/* mov $15, %rax; syscall */
	return sp == frame.v + 8 && pc >= restorer.v && pc <= restorer.v + 9;
}

bool arch_chain_is_over(const struct arch_regs *regs, remote_addr frame,
			remote_addr syscall_ret, remote_addr restorer)
{
	const remote_addr last = addr_of(arch_chain_scratch(frame).v - ARCH_STEP_SIZE);

	return arch_is_returning(regs, last, syscall_ret, restorer) ||
	       arch_is_returning(regs, frame, syscall_ret, restorer);
}

void arch_frame_start(struct frame_start *out, const struct arch_regs *regs)
{
	const struct user_regs_struct *gp = &regs->gp;

	*out = (struct frame_start){
		.rip = gp->rip,
		.rsp = gp->rsp,
		.rbp = gp->rbp,
		.rbx = gp->rbx,
		.r12 = gp->r12,
		.r13 = gp->r13,
		.r14 = gp->r14,
		.r15 = gp->r15,
		.rax = gp->rax,
		.rcx = gp->rcx,
		.rdx = gp->rdx,
		.rsi = gp->rsi,
		.rdi = gp->rdi,
		.r8 = gp->r8,
		.r9 = gp->r9,
		.r10 = gp->r10,
		.r11 = gp->r11,
	};
}
