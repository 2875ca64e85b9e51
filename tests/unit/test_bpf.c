/* SPDX-License-Identifier: MIT
 *
 * What a filter says about a call: each instruction, what is not known, and programs that no
 * kernel would have taken.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/target/bpf.h"

#define NR       offsetof(struct seccomp_data, nr)
#define LOW(n)   (offsetof(struct seccomp_data, args) + 8 * (n))
#define HIGH(n)  (LOW(n) + 4)
#define LOAD(at) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at)
#define ALLOW    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define KILL     BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
#define FAIL(e)  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (e))
#define RET_A    BPF_STMT(BPF_RET | BPF_A, 0)
#define IF(op, k, then_skip, else_skip)                                                        \
	BPF_JUMP(BPF_JMP | (op) | BPF_K, k, then_skip, else_skip)

#define judge(call, ...)                                                                       \
	bpf_judge((const struct sock_filter[]){__VA_ARGS__},                                   \
		  sizeof((const struct sock_filter[]){__VA_ARGS__}) /                          \
			  sizeof(struct sock_filter),                                          \
		  call)

/* mmap(?, ?, 5, 1, ?, 0x100000002) */
static const struct bpf_call mmap_call = {
	SYS_mmap, {0, 0, 5, 1, 0, 0x100000002}, 1 << 2 | 1 << 3 | 1 << 5};

Test(bpf, what_is_loaded_is_the_call)
{
	const struct bpf_call *c = &mmap_call;

	cr_assert(eq(u32, judge(c, LOAD(NR), RET_A), SYS_mmap));
	cr_assert(eq(u32, judge(c, LOAD(offsetof(struct seccomp_data, arch)), RET_A),
		     AUDIT_ARCH_X86_64 & 0xffffffff));
	cr_assert(eq(u32, judge(c, LOAD(LOW(2)), RET_A), 5));
	cr_assert(eq(u32, judge(c, LOAD(HIGH(2)), RET_A), 0));
	cr_assert(eq(u32, judge(c, LOAD(LOW(5)), RET_A), 2));
	cr_assert(eq(u32, judge(c, LOAD(HIGH(5)), RET_A), 1));
	cr_assert(eq(u32, judge(c, BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), RET_A), 64));
}

Test(bpf, a_decision_hangs_on_what_is_known)
{
	const struct bpf_call *c = &mmap_call;

	cr_assert(eq(u32, judge(c, LOAD(NR), IF(BPF_JEQ, SYS_mmap, 0, 1), ALLOW, KILL),
		     SECCOMP_RET_ALLOW));
	cr_assert(eq(u32, judge(c, LOAD(LOW(2)), IF(BPF_JSET, 4, 0, 1), FAIL(EACCES), ALLOW),
		     SECCOMP_RET_ERRNO | EACCES));
	cr_assert(eq(u32, judge(c, LOAD(LOW(2)), IF(BPF_JGT, 5, 0, 1), KILL, ALLOW),
		     SECCOMP_RET_ALLOW));
	cr_assert(eq(u32, judge(c, LOAD(LOW(2)), IF(BPF_JGE, 5, 1, 0), KILL, ALLOW),
		     SECCOMP_RET_ALLOW));
}

/* An address may be anything: the worst that it could lead to counts, in either branch. */
Test(bpf, of_what_is_not_known_the_worst_is_said)
{
	const struct bpf_call *c = &mmap_call;

	cr_assert(eq(u32, judge(c, LOAD(LOW(0)), IF(BPF_JEQ, 0, 0, 1), KILL, ALLOW),
		     SECCOMP_RET_KILL_PROCESS));
	cr_assert(eq(u32, judge(c, LOAD(LOW(0)), IF(BPF_JEQ, 0, 1, 0), KILL, ALLOW),
		     SECCOMP_RET_KILL_PROCESS));
	cr_assert(eq(u32,
		     judge(c, LOAD(LOW(0)), IF(BPF_JEQ, 0, 0, 1), FAIL(1), FAIL(2)) &
			     SECCOMP_RET_ACTION_FULL,
		     SECCOMP_RET_ERRNO));
	/* It is followed through registers and memory, */
	cr_assert(eq(u32,
		     judge(c, LOAD(LOW(0)), BPF_STMT(BPF_ST, 3), BPF_STMT(BPF_LD | BPF_IMM, 0),
			   BPF_STMT(BPF_LDX | BPF_MEM, 3), BPF_STMT(BPF_MISC | BPF_TXA, 0),
			   IF(BPF_JEQ, 7, 0, 1), KILL, ALLOW),
		     SECCOMP_RET_KILL_PROCESS));
	/* and ends where nothing of it is left. */
	cr_assert(eq(u32,
		     judge(c, LOAD(LOW(0)), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0),
			   IF(BPF_JEQ, 0, 1, 0), KILL, ALLOW),
		     SECCOMP_RET_ALLOW));
	cr_assert(eq(u32, judge(c, LOAD(LOW(0)), RET_A), SECCOMP_RET_KILL_PROCESS));
}

static uint32_t compute(uint16_t op, uint32_t a, uint32_t b)
{
	const struct sock_filter with_k[] = {BPF_STMT(BPF_LD | BPF_IMM, a),
					     BPF_STMT(BPF_ALU | op | BPF_K, b), RET_A};
	const struct sock_filter with_x[] = {
		BPF_STMT(BPF_LD | BPF_IMM, b), BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_IMM, a), BPF_STMT(BPF_ALU | op | BPF_X, 0), RET_A};
	uint32_t answer = bpf_judge(with_k, 3, &mmap_call);

	cr_assert(eq(u32, bpf_judge(with_x, 5, &mmap_call), answer));
	return answer;
}

/* Small positive numbers: what is worse than ALLOW as an answer is returned as it is. */
Test(bpf, arithmetic)
{
	cr_assert(eq(u32, compute(BPF_ADD, 7, 5), 12));
	cr_assert(eq(u32, compute(BPF_SUB, 7, 5), 2));
	cr_assert(eq(u32, compute(BPF_MUL, 7, 5), 35));
	cr_assert(eq(u32, compute(BPF_DIV, 7, 5), 1));
	cr_assert(eq(u32, compute(BPF_AND, 7, 5), 5));
	cr_assert(eq(u32, compute(BPF_OR, 9, 5), 13));
	cr_assert(eq(u32, compute(BPF_XOR, 9, 5), 12));
	cr_assert(eq(u32, compute(BPF_LSH, 3, 4), 48));
	cr_assert(eq(u32, compute(BPF_RSH, 48, 4), 3));
	cr_assert(eq(u32,
		     judge(&mmap_call, BPF_STMT(BPF_LD | BPF_IMM, (uint32_t)-5),
			   BPF_STMT(BPF_ALU | BPF_NEG, 0), RET_A),
		     5));
}

/* The kernel refuses such programs, or ends them with 0; what is read from it should be none of
 * these, but is not ours. */
Test(bpf, what_cannot_be_followed_kills)
{
	const struct bpf_call *c = &mmap_call;
	const uint32_t kill = SECCOMP_RET_KILL_PROCESS;

	cr_assert(eq(u32, bpf_judge(NULL, 0, c), kill));
	cr_assert(eq(u32, judge(c, LOAD(NR)), kill), "no end");
	cr_assert(eq(u32, judge(c, LOAD(64), ALLOW), kill), "behind the call");
	cr_assert(eq(u32, judge(c, LOAD(2), ALLOW), kill), "not aligned");
	cr_assert(eq(u32, judge(c, BPF_STMT(BPF_ST, 16), ALLOW), kill), "no such memory");
	cr_assert(eq(u32, judge(c, BPF_STMT(BPF_LD | BPF_MEM, 16), ALLOW), kill));
	cr_assert(eq(u32, judge(c, BPF_STMT(BPF_JMP | BPF_JA, 0xffffffff), ALLOW), kill));
	cr_assert(eq(u32, judge(c, IF(BPF_JEQ, 0, 200, 200), ALLOW), kill));
	cr_assert(eq(u32, judge(c, BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), ALLOW), kill));
	cr_assert(eq(u32, judge(c, BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0), ALLOW), kill));
}

/* 60 unknown decisions in a row would be 2^60 ways. */
Test(bpf, endless_branching_ends)
{
	struct sock_filter program[200];
	size_t n = 0;

	program[n++] = (struct sock_filter)LOAD(LOW(0));
	while (n < 120)
		program[n++] = (struct sock_filter)IF(BPF_JEQ, (uint32_t)n, 1, 0);
	while (n < 200)
		program[n++] = (struct sock_filter)ALLOW;
	cr_assert(eq(u32, bpf_judge(program, n, &mmap_call), SECCOMP_RET_KILL_PROCESS));
}

Test(bpf, answers_are_ordered_as_the_kernel_orders_them)
{
	static const uint32_t severe_first[] = {
		SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP,
		SECCOMP_RET_ERRNO,        SECCOMP_RET_USER_NOTIF,  SECCOMP_RET_TRACE,
		SECCOMP_RET_LOG,          SECCOMP_RET_ALLOW,
	};

	for (size_t i = 1; i < sizeof(severe_first) / sizeof(*severe_first); i++) {
		cr_assert(bpf_is_worse(severe_first[i - 1], severe_first[i]), "%zu", i);
		cr_assert(not(bpf_is_worse(severe_first[i], severe_first[i - 1])), "%zu", i);
	}
	cr_assert(not(bpf_is_worse(SECCOMP_RET_ERRNO | 1, SECCOMP_RET_ERRNO | 2)));
}
