/* SPDX-License-Identifier: MIT
 *
 * See bpf.h. The instructions are those that seccomp_check_filter() of kernel/seccomp.c lets
 * in; they only jump forward, so each way through ends. What is said of each is from
 * kernel/bpf/core.c and net/core/filter.c (bpf_convert_filter) of Linux 6.1.
 */
#include "inject/target/bpf.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

/* A filter of Docker takes some 60 steps for a call; this many ways are nobody's filter. */
enum { PENDING_MAX = 64, STEPS_MAX = 1 << 20 };

struct value {
	uint32_t bits;
	bool known;
};

/* One way through the program. */
struct way {
	size_t at;
	struct value a, x, memory[BPF_MEMWORDS];
};

struct walk {
	const struct sock_filter *program;
	size_t count;
	const struct bpf_call *call;
	struct way pending[PENDING_MAX]; /* ways that branched off and wait */
	size_t pending_count;
	uint32_t worst;
};

bool bpf_is_worse(uint32_t a, uint32_t b)
{
	/* KILL_PROCESS is 0x80000000: the actions are ordered as signed numbers. */
	return (int32_t)(a & SECCOMP_RET_ACTION_FULL) < (int32_t)(b & SECCOMP_RET_ACTION_FULL);
}

static struct value known(uint32_t bits)
{
	return (struct value){bits, true};
}

/* A word of struct seccomp_data: nr, arch, instruction_pointer (64), args[6] (64 each). */
static struct value load(const struct bpf_call *call, uint32_t offset)
{
	size_t argument = (offset - 16) / 8;

	if (offset == 0)
		return known(call->nr);
	if (offset == 4)
		return known(AUDIT_ARCH_X86_64);
	if (offset < 16 || argument >= 6 || !(call->known >> argument & 1))
		return (struct value){0, false};
	return known((uint32_t)(call->args[argument] >> (offset % 8 ? 32 : 0)));
}

/* False for a division by zero, which ends the filter with 0: SECCOMP_RET_KILL_THREAD. */
static bool compute(uint32_t *out, uint16_t code, uint32_t a, uint32_t b)
{
	switch (BPF_OP(code)) {
	case BPF_ADD:
		*out = a + b;
		return true;
	case BPF_SUB:
		*out = a - b;
		return true;
	case BPF_MUL:
		*out = a * b;
		return true;
	case BPF_DIV:
		*out = b ? a / b : 0;
		return b != 0;
	case BPF_AND:
		*out = a & b;
		return true;
	case BPF_OR:
		*out = a | b;
		return true;
	case BPF_XOR:
		*out = a ^ b;
		return true;
	case BPF_LSH:
		*out = a << (b & 31);
		return true;
	case BPF_RSH:
		*out = a >> (b & 31);
		return true;
	case BPF_NEG:
		*out = 0 - a;
		return true;
	default:
		return false;
	}
}

/* False when the filter ends here, or this is no instruction of a filter. */
static bool step_alu(struct way *way, const struct sock_filter *i)
{
	struct value operand = BPF_SRC(i->code) == BPF_X ? way->x : known(i->k);
	uint32_t result = 0;

	if (BPF_OP(i->code) == BPF_NEG)
		operand = known(0);
	/* An unknown divisor may be zero. */
	if (BPF_OP(i->code) == BPF_DIV && !operand.known)
		return false;
	if (!compute(&result, i->code, way->a.bits, operand.bits))
		return false;
	way->a = (struct value){result, way->a.known && operand.known};
	if (BPF_OP(i->code) == BPF_AND && operand.known && !operand.bits)
		way->a = known(0);
	return true;
}

static bool step_load(const struct walk *walk, struct way *way, const struct sock_filter *i)
{
	struct value value;

	switch (BPF_MODE(i->code)) {
	case BPF_ABS:
		if (i->k % 4 || i->k >= sizeof(struct seccomp_data))
			return false;
		value = load(walk->call, i->k);
		break;
	case BPF_IMM:
		value = known(i->k);
		break;
	case BPF_MEM:
		if (i->k >= BPF_MEMWORDS)
			return false;
		value = way->memory[i->k];
		break;
	case BPF_LEN:
		value = known(sizeof(struct seccomp_data));
		break;
	default:
		return false;
	}
	if (BPF_CLASS(i->code) == BPF_LD)
		way->a = value;
	else
		way->x = value;
	return true;
}

static bool jumps(uint16_t code, uint32_t a, uint32_t b)
{
	switch (BPF_OP(code)) {
	case BPF_JEQ:
		return a == b;
	case BPF_JGT:
		return a > b;
	case BPF_JGE:
		return a >= b;
	default: /* BPF_JSET */
		return a & b;
	}
}

/* Where nobody knows, both ways are gone: one now, the other later. */
static bool step_jump(struct walk *walk, struct way *way, const struct sock_filter *i)
{
	struct value operand = BPF_SRC(i->code) == BPF_X ? way->x : known(i->k);

	if (BPF_OP(i->code) == BPF_JA) {
		way->at += i->k;
		return i->k < walk->count;
	}
	if (BPF_OP(i->code) > BPF_JSET)
		return false;
	if (way->a.known && operand.known) {
		way->at += jumps(i->code, way->a.bits, operand.bits) ? i->jt : i->jf;
		return true;
	}
	if (walk->pending_count == PENDING_MAX)
		return false;
	walk->pending[walk->pending_count] = *way;
	walk->pending[walk->pending_count++].at += i->jf;
	way->at += i->jt;
	return true;
}

static bool step(struct walk *walk, struct way *way, const struct sock_filter *i)
{
	way->at++;
	switch (BPF_CLASS(i->code)) {
	case BPF_LD:
	case BPF_LDX:
		return step_load(walk, way, i);
	case BPF_ST:
	case BPF_STX:
		if (i->k >= BPF_MEMWORDS)
			return false;
		way->memory[i->k] = BPF_CLASS(i->code) == BPF_ST ? way->a : way->x;
		return true;
	case BPF_ALU:
		return step_alu(way, i);
	case BPF_JMP:
		return step_jump(walk, way, i);
	case BPF_MISC:
		if (BPF_MISCOP(i->code) == BPF_TAX)
			way->x = way->a;
		else
			way->a = way->x;
		return true;
	default:
		return false;
	}
}

static void note(struct walk *walk, uint32_t answer)
{
	if (bpf_is_worse(answer, walk->worst))
		walk->worst = answer;
}

static void follow(struct walk *walk, struct way *way, size_t *steps)
{
	while (way->at < walk->count && ++*steps < STEPS_MAX) {
		const struct sock_filter *i = &walk->program[way->at];

		if (BPF_CLASS(i->code) == BPF_RET) {
			struct value answer = BPF_RVAL(i->code) == BPF_A ? way->a : known(i->k);

			note(walk, answer.known ? answer.bits : SECCOMP_RET_KILL_PROCESS);
			return;
		}
		if (!step(walk, way, i))
			break;
	}
	note(walk, SECCOMP_RET_KILL_PROCESS);
}

uint32_t bpf_judge(const struct sock_filter *program, size_t count, const struct bpf_call *call)
{
	struct walk walk;
	size_t steps = 0;

	walk.program = program;
	walk.count = count;
	walk.call = call;
	walk.worst = SECCOMP_RET_ALLOW;
	/* The kernel clears A and X, and refuses programs that read memory not yet written. */
	walk.pending[0] = (struct way){.a = known(0), .x = known(0)};
	walk.pending_count = 1;
	while (walk.pending_count) {
		struct way way = walk.pending[--walk.pending_count];

		follow(&walk, &way, &steps);
	}
	return walk.worst;
}
