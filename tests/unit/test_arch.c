/* SPDX-License-Identifier: MIT
 *
 * The pure half of the hijack: which context a stopped thread resumes with, and where the
 * signal frame goes. That the kernel accepts the frame is shown by tests/trace.
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/arch/arch.h"

static struct arch_regs stopped_in(long nr, int64_t result)
{
	struct arch_regs regs = {0};

	regs.gp.orig_rax = (uint64_t)nr;
	regs.gp.rax = (uint64_t)result;
	regs.gp.rip = 0x401002;
	regs.gp.rsp = 0x7ffffff01238;
	return regs;
}

Test(arch, interrupted_calls_are_wound_back)
{
	const int restarted[] = {512, 513, 514};

	for (size_t i = 0; i < 3; i++) {
		struct arch_regs out, in = stopped_in(SYS_read, -restarted[i]);

		arch_resume_context(&out, &in);
		cr_assert(eq(u64, out.gp.rax, SYS_read));
		cr_assert(eq(u64, out.gp.rip, 0x401000));
		cr_assert(eq(u64, out.gp.orig_rax, (uint64_t)-1));
	}
}

Test(arch, restart_block_calls_return_eintr_when_nobody_restores)
{
	struct arch_regs out, in = stopped_in(SYS_clock_nanosleep, -516);

	arch_resume_context(&out, &in);
	cr_assert(eq(i64, (int64_t)out.gp.rax, -EINTR));
	cr_assert(eq(u64, out.gp.rip, 0x401002));
}

Test(arch, finished_calls_and_plain_code_are_left_alone)
{
	struct arch_regs out, in = stopped_in(SYS_read, 42);

	arch_resume_context(&out, &in);
	cr_assert(eq(u64, out.gp.rax, 42));
	cr_assert(eq(u64, out.gp.rip, 0x401002));
	in = stopped_in(-1, -512); /* a value that only looks like one */
	arch_resume_context(&out, &in);
	cr_assert(eq(i64, (int64_t)out.gp.rax, -512));
	cr_assert(eq(u64, out.gp.rip, 0x401002));
	cr_assert(eq(int, (int)arch_syscall(&in, NULL), -1));
}

Test(arch, only_an_endless_epoll_wait_is_restarted)
{
	struct arch_regs regs = stopped_in(SYS_epoll_wait, -EINTR);

	regs.gp.r10 = (uint32_t)-1;
	cr_assert(arch_restart_endless_wait(&regs));
	cr_assert(eq(i64, (int64_t)regs.gp.rax, -514));
	regs = stopped_in(SYS_epoll_wait, -EINTR);
	regs.gp.r10 = 1000; /* would wait its whole time again */
	cr_assert(not(arch_restart_endless_wait(&regs)));
	regs = stopped_in(SYS_read, -EINTR);
	regs.gp.r10 = (uint32_t)-1;
	cr_assert(not(arch_restart_endless_wait(&regs)));
	regs = stopped_in(SYS_epoll_wait, 1);
	regs.gp.r10 = (uint32_t)-1;
	cr_assert(not(arch_restart_endless_wait(&regs)));
}

Test(arch, frame_lies_below_the_red_zone_and_is_aligned_as_after_a_call)
{
	static uint8_t xstate[2696];
	static struct arch_frame frame;
	struct arch_regs resume = stopped_in(-1, 0);
	const uint64_t features = 7;
	struct hp_err err;

	for (uint64_t shift = 0; shift < 64; shift++) {
		resume.gp.rsp = 0x7ffffff01200 + shift;
		memcpy(xstate + 464, &features, sizeof(features));
		cr_assert(eq(int,
			     arch_frame_build(&frame, &resume,
					      (struct span){xstate, sizeof(xstate)}, 5,
					      addr_of(0x1234), &err),
			     0));
		cr_assert(eq(u64, frame.at.v % 16, 8));
		cr_assert(le(u64, frame.at.v + frame.len, resume.gp.rsp - 128));
		uint64_t restorer;
		memcpy(&restorer, frame.bytes, sizeof(restorer));
		cr_assert(eq(u64, restorer, 0x1234));
		cr_assert(eq(str,
			     (char *)frame.bytes + (arch_frame_note(frame.at).v - frame.at.v),
			     ARCH_FRAME_NOTE));
	}
}

Test(arch, a_vector_state_of_absurd_size_is_refused)
{
	static uint8_t xstate[ARCH_XSTATE_MAX];
	static struct arch_frame frame;
	struct arch_regs resume = stopped_in(-1, 0);
	struct hp_err err;

	cr_assert(eq(int,
		     arch_frame_build(&frame, &resume, (struct span){xstate, 512}, 0,
				      addr_of(1), &err),
		     -1));
	cr_assert(eq(int,
		     arch_frame_build(&frame, &resume, (struct span){xstate, sizeof(xstate)}, 0,
				      addr_of(1), &err),
		     -1));
	cr_assert(eq(int, err.kind, HP_UNSUPPORTED));
}

Test(arch, calls_enter_with_a_clean_direction_flag_and_no_restart)
{
	struct arch_regs regs = stopped_in(SYS_read, -512);

	regs.gp.eflags = 0x746;
	arch_enter_call(&regs, addr_of(0x5000), addr_of(0x7008), 9);
	cr_assert(eq(u64, regs.gp.rip, 0x5000));
	cr_assert(eq(u64, regs.gp.rsp, 0x7008));
	cr_assert(eq(u64, regs.gp.rdi, 9));
	cr_assert(eq(u64, regs.gp.eflags & 0x500, 0));
	cr_assert(eq(u64, regs.gp.orig_rax, (uint64_t)-1));
}

/* ---- chains ---- */

/* Our own libc's, and what it says itself. */
Test(arch, errno_of_this_thread_is_found)
{
	const uint8_t *code = (const uint8_t *)(uintptr_t)__errno_location;
	int64_t offset = 0, more = 0;
	uint64_t pointer;
	remote_addr slot;

	__asm__("mov %%fs:0, %0" : "=r"(pointer));
	cr_assert(arch_errno_decode(&offset, &slot, (struct span){code, ARCH_ERRNO_CODE},
				    addr_of((uintptr_t)code)));
	if (!addr_is_null(slot))
		memcpy(&more, (void *)(uintptr_t)slot.v, sizeof(more)); /* NOLINT */
	cr_assert(eq(u64, pointer + (uint64_t)(offset + more), (uintptr_t)&errno));
}

static bool decodes(const char *code, size_t len, int64_t *offset, remote_addr *slot)
{
	uint8_t bytes[ARCH_ERRNO_CODE] = {0};

	memcpy(bytes, code, len);
	return arch_errno_decode(offset, slot, (struct span){bytes, sizeof(bytes)},
				 addr_of(0x1000));
}
#define DECODES(code) decodes(code, sizeof(code) - 1, &offset, &slot)

Test(arch, errno_of_other_libcs)
{
	int64_t offset;
	remote_addr slot;

	/* musl */
	cr_assert(DECODES("\x64\x48\x8b\x04\x25\0\0\0\0\x48\x83\xc0\x34\xc3"));
	cr_assert(eq(i64, offset, 0x34));
	cr_assert(addr_is_null(slot));
	/* glibc in a static program */
	cr_assert(DECODES("\x48\xc7\xc0\xc0\xff\xff\xff\x64\x48\x03\x04\x25\0\0\0\0\xc3"));
	cr_assert(eq(i64, offset, -0x40));
	cr_assert(addr_is_null(slot));
	/* glibc, for processors that know where a jump may lead */
	cr_assert(DECODES(
		"\xf3\x0f\x1e\xfa\x48\x8b\x05\x10\0\0\0\x64\x48\x03\x04\x25\0\0\0\0\xc3"));
	cr_assert(eq(i64, offset, 0));
	cr_assert(eq(u64, slot.v, 0x1000 + 4 + 7 + 0x10));
}

Test(arch, errno_of_unknown_code)
{
	int64_t offset;
	remote_addr slot;

	cr_assert(not(DECODES("")));
	cr_assert(not(DECODES("\x64\x48\x8b\x04\x25\0\0\0\0\x48\x83\xc0\x34\x90")));
	cr_assert(not(DECODES("\x48\x8d\x05\xc0\xff\xff\xff\x64\x48\x03\x04\x25\0\0\0\0\xc3")));
	cr_assert(not(DECODES("\x48\xc7\xc0\xc0\xff\xff\xff\x64\x48\x03\x04\x25\1\0\0\0\xc3")));
	cr_assert(not(arch_errno_decode(
		&offset, &slot, (struct span){(const uint8_t *)"\x64\x48", 2}, addr_of(0))));
}

static const uint64_t *words_at(const struct arch_chain *chain, remote_addr at)
{
	return (const uint64_t *)(chain->bytes + (at.v - chain->at.v));
}

Test(arch, each_step_of_a_chain_returns_into_the_next)
{
	const struct arch_step steps[] = {{addr_of(0x1111), 0, {1}},
					  {addr_of(0x2222), 0, {2}},
					  {addr_of(0x3333), 39, {3}}};
	const remote_addr frame = addr_of(0x7fff00001008), restorer = addr_of(0x4444);
	static struct arch_chain chain;
	struct arch_regs regs = stopped_in(SYS_read, -512);

	chain = (struct arch_chain){.frame = frame, .restorer = restorer, .sigmask = 7};
	memset(chain.scratch, 0xab, sizeof(chain.scratch));
	arch_chain_build(&chain, &regs, steps, 3);
	cr_assert(eq(u64, regs.gp.rip, 0x1111));
	cr_assert(eq(u64, regs.gp.rdi, 1));
	cr_assert(eq(u64, regs.gp.orig_rax, (uint64_t)-1), "no system call is restarted");
	cr_assert(eq(u64, regs.gp.rsp, chain.at.v));
	cr_assert(eq(u64, regs.gp.rsp % 16, 8), "as if called");
	cr_assert(eq(u64, *words_at(&chain, chain.at), restorer.v));
	cr_assert(eq(u64, *words_at(&chain, addr_add(chain.at, ARCH_STEP_SIZE)), restorer.v));
	cr_assert(eq(u64, chain.at.v + chain.len, frame.v));
	cr_assert(eq(u64, *words_at(&chain, arch_chain_scratch(frame)), 0xabababababababab));
}
