/* SPDX-License-Identifier: MIT
 *
 * See epilogue.h. The instructions are those that gcc 8 to 14 make of musl 1.1.19 to 1.2.5 on a
 * way out (and of most other C): Intel's manual, volume 2, appendix A.
 */
#include "inject/unwind/epilogue.h"

#include <stddef.h>
#include <string.h>

#define INSTRUCTION_MAX  15 /* bytes */
#define INSTRUCTIONS_MAX 1000
#define BRANCHES_MAX     64
#define STACK_MAX        (1u << 20) /* more than any function of libc takes */

/* ---- one instruction ---- */

enum operands {
	PLAIN = 0, /* no more bytes */
	MODRM = 1,
	IMM8 = 2,
	IMM32 = 4,   /* 16 bits with the prefix 66 */
	IMM64 = 8,   /* with REX.W, else as IMM32 */
	GROUP = 16,  /* the register field is a part of the opcode */
	VECTOR = 32, /* it names a vector register */
	READS = 64,  /* neither operand is written */
	UNKNOWN = 128,
};

struct instruction {
	uint8_t opcode, rex, modrm;
	bool two_byte, narrow; /* 0f before the opcode; the prefix 66 */
	unsigned operands;
	unsigned base; /* register of the memory operand, when has_base */
	bool has_base;
	int64_t displacement, immediate;
	unsigned len;
};

struct opcodes {
	uint8_t first, last;
	unsigned operands;
};

/* clang-format off */

/* Below 0x40 they follow a pattern: see operands_of(). */
static const struct opcodes one_byte[] = {
	{0x50, 0x5f, PLAIN}, /* push, pop */
	{0x63, 0x63, MODRM}, /* movslq */
	{0x68, 0x68, IMM32}, {0x69, 0x69, MODRM | IMM32}, /* push, imul */
	{0x6a, 0x6a, IMM8}, {0x6b, 0x6b, MODRM | IMM8},
	{0x70, 0x7f, IMM8}, /* jcc */
	{0x80, 0x80, MODRM | IMM8 | GROUP}, {0x81, 0x81, MODRM | IMM32 | GROUP},
	{0x83, 0x83, MODRM | IMM8 | GROUP},
	{0x84, 0x85, MODRM | READS}, /* test */
	{0x86, 0x8b, MODRM}, {0x8d, 0x8d, MODRM}, /* xchg, mov, lea */
	{0x90, 0x99, PLAIN},
	{0xa4, 0xa5, PLAIN}, {0xaa, 0xab, PLAIN}, /* movs, stos */
	{0xa8, 0xa8, IMM8}, {0xa9, 0xa9, IMM32}, /* test */
	{0xb0, 0xb7, IMM8}, {0xb8, 0xbf, IMM64}, /* mov */
	{0xc0, 0xc1, MODRM | IMM8 | GROUP}, {0xd0, 0xd3, MODRM | GROUP}, /* shifts */
	{0xc3, 0xc3, PLAIN}, /* ret */
	{0xc6, 0xc6, MODRM | IMM8 | GROUP}, {0xc7, 0xc7, MODRM | IMM32 | GROUP}, /* mov */
	{0xe8, 0xe9, IMM32}, {0xeb, 0xeb, IMM8}, /* call, jmp */
	{0xf6, 0xf7, MODRM | GROUP}, {0xfe, 0xff, MODRM | GROUP},
	{0xfc, 0xfd, PLAIN}, /* cld, std */
};

static const struct opcodes two_byte[] = {
	{0x05, 0x05, PLAIN}, /* syscall */
	{0x10, 0x17, MODRM | VECTOR}, {0x28, 0x2f, MODRM | VECTOR},
	{0x1e, 0x1f, MODRM | READS}, /* endbr64, and the nops of several bytes */
	{0x40, 0x4f, MODRM}, /* cmov */
	{0x54, 0x5f, MODRM | VECTOR}, {0x6c, 0x6c, MODRM | VECTOR},
	{0x6e, 0x6f, MODRM | VECTOR}, {0x70, 0x70, MODRM | IMM8 | VECTOR},
	{0x7e, 0x7f, MODRM | VECTOR}, {0xd6, 0xd6, MODRM | VECTOR},
	{0xef, 0xef, MODRM | VECTOR},
	{0x80, 0x8f, IMM32}, {0x90, 0x9f, MODRM}, /* jcc, setcc */
	{0xa3, 0xa3, MODRM | READS}, {0xba, 0xba, MODRM | IMM8 | GROUP}, /* bt */
	{0xab, 0xab, MODRM}, {0xaf, 0xb1, MODRM}, {0xb3, 0xb3, MODRM},
	{0xb6, 0xb7, MODRM}, {0xbb, 0xc1, MODRM}, /* movzx, movsx, bsf, xadd */
	{0xc6, 0xc6, MODRM | IMM8 | VECTOR},
	{0xc8, 0xcf, PLAIN}, /* bswap */
};

/* clang-format on */

static unsigned find_operands(const struct opcodes *table, size_t count, uint8_t opcode)
{
	for (size_t i = 0; i < count; i++)
		if (opcode >= table[i].first && opcode <= table[i].last)
			return table[i].operands;
	return UNKNOWN;
}

static unsigned operands_of(const struct instruction *i)
{
	static const unsigned arithmetic[8] = {MODRM, MODRM, MODRM,   MODRM,
					       IMM8,  IMM32, UNKNOWN, UNKNOWN};

	if (i->two_byte)
		return find_operands(two_byte, sizeof(two_byte) / sizeof(*two_byte), i->opcode);
	if (i->opcode < 0x40)
		return arithmetic[i->opcode & 7] | (i->opcode >= 0x38 ? READS : 0); /* cmp */
	return find_operands(one_byte, sizeof(one_byte) / sizeof(*one_byte), i->opcode);
}

static int64_t take_signed(const uint8_t *bytes, unsigned *at, unsigned size)
{
	int64_t value = 0;

	memcpy(&value, bytes + *at, size);
	*at += size;
	return size == 8 ? value
			 : (int64_t)((uint64_t)value << (64 - 8 * size)) >> (64 - 8 * size);
}

static void take_modrm(struct instruction *out, const uint8_t *bytes, unsigned *at)
{
	const unsigned mod = bytes[*at] >> 6;
	unsigned rm = bytes[*at] & 7;

	out->modrm = bytes[(*at)++];
	if (mod == 3)
		return;
	if (rm == 4)
		rm = bytes[(*at)++] & 7; /* the base; an index changes no length */
	out->has_base = mod != 0 || rm != 5;
	out->base = rm | (out->rex & 1 ? 8 : 0);
	if (mod == 1)
		out->displacement = take_signed(bytes, at, 1);
	else if (mod == 2 || rm == 5)
		out->displacement = take_signed(bytes, at, 4);
}

/* Returns the number of bytes taken by prefixes. */
static unsigned take_prefixes(struct instruction *out, const uint8_t *bytes)
{
	unsigned at = 0;

	for (; at < 4; at++) {
		if (bytes[at] == 0x66)
			out->narrow = true;
		else if (bytes[at] != 0x2e && bytes[at] != 0x64 && bytes[at] != 0xf0 &&
			 bytes[at] != 0xf2 && bytes[at] != 0xf3)
			break;
	}
	if ((bytes[at] & 0xf0) == 0x40)
		out->rex = bytes[at++];
	return at;
}

static bool decode(struct instruction *out, const uint8_t *bytes)
{
	unsigned at;

	*out = (struct instruction){0};
	at = take_prefixes(out, bytes);
	out->two_byte = bytes[at] == 0x0f;
	at += out->two_byte;
	out->opcode = bytes[at++];
	out->operands = operands_of(out);
	if (out->operands & UNKNOWN)
		return false;
	if (out->operands & MODRM)
		take_modrm(out, bytes, &at);
	if (!out->two_byte && (out->opcode & 0xfe) == 0xf6 && !(out->modrm & 0x30)) /* test */
		out->operands |= out->opcode == 0xf6 ? IMM8 : IMM32;
	if (out->operands & IMM8)
		out->immediate = take_signed(bytes, &at, 1);
	else if ((out->operands & IMM64) && (out->rex & 8))
		out->immediate = take_signed(bytes, &at, 8);
	else if (out->operands & (IMM32 | IMM64))
		out->immediate = take_signed(bytes, &at, out->narrow ? 2 : 4);
	out->len = at;
	return true;
}

/* ---- what it does ---- */

struct way {
	struct epilogue now;
	uint64_t sp_began;
	uint64_t branches[BRANCHES_MAX]; /* where the way led past a jump */
	size_t branch_count;
	elf_memory_read read;
	void *context;
};

enum outcome { GOES_ON, RETURNED, GIVEN_UP };

static unsigned reg_field(const struct instruction *i)
{
	return (i->modrm >> 3 & 7) | (i->rex & 4 ? 8 : 0);
}

static unsigned rm_field(const struct instruction *i)
{
	return (i->modrm & 7) | (i->rex & 1 ? 8 : 0);
}

static bool is_direct(const struct instruction *i)
{
	return i->modrm >> 6 == 3;
}

/* Whether it may write the stack pointer, other than by a constant. */
static bool touches_rsp(const struct instruction *i)
{
	if (!(i->operands & MODRM) || (i->operands & (VECTOR | READS)))
		return false;
	if (is_direct(i) && rm_field(i) == EPILOGUE_RSP)
		return i->two_byte || i->opcode != 0x8b; /* mov from it */
	return !(i->operands & GROUP) && reg_field(i) == EPILOGUE_RSP &&
	       (i->two_byte || i->opcode != 0x89); /* mov of it */
}

static bool pop(struct way *way, uint64_t *out)
{
	if (way->read(way->context, way->now.regs[EPILOGUE_RSP], out, sizeof(*out)) != 0)
		return false;
	way->now.regs[EPILOGUE_RSP] += sizeof(*out);
	return true;
}

static enum outcome arithmetic_on_rsp(struct way *way, const struct instruction *i)
{
	uint64_t *rsp = &way->now.regs[EPILOGUE_RSP];

	if (i->opcode == 0x8d && i->has_base && i->base == EPILOGUE_RSP &&
	    (i->modrm & 7) == 4 && reg_field(i) == EPILOGUE_RSP)
		*rsp += (uint64_t)i->displacement;
	else if ((i->opcode == 0x83 || i->opcode == 0x81) && (i->modrm >> 3 & 7) == 0)
		*rsp += (uint64_t)i->immediate;
	else if ((i->opcode == 0x83 || i->opcode == 0x81) && (i->modrm >> 3 & 7) == 5)
		*rsp -= (uint64_t)i->immediate;
	else if ((i->opcode != 0x83 && i->opcode != 0x81) || (i->modrm >> 3 & 7) != 7) /* cmp */
		return GIVEN_UP;
	return GOES_ON;
}

/* The first time past it, the next time with it: so a loop is left. */
static enum outcome branch(struct way *way, uint64_t place, uint64_t target)
{
	for (size_t i = 0; i < way->branch_count; i++)
		if (way->branches[i] == place) {
			way->now.pc = target;
			return GOES_ON;
		}
	if (way->branch_count == BRANCHES_MAX)
		return GIVEN_UP;
	way->branches[way->branch_count++] = place;
	return GOES_ON;
}

/* A call changes nothing, unless it never returns: musl's a_crash(), in __stack_chk_fail(), is
 * a hlt. */
static enum outcome call(struct way *way, uint64_t target)
{
	uint8_t first;

	return way->read(way->context, target, &first, 1) == 0 && first != 0xf4 ? GOES_ON
										: GIVEN_UP;
}

static enum outcome do_two_byte(struct way *way, const struct instruction *i, uint64_t place)
{
	if (i->opcode >= 0x80 && i->opcode < 0x90)
		return branch(way, place, way->now.pc + (uint64_t)i->immediate);
	return touches_rsp(i) ? GIVEN_UP : GOES_ON;
}

static enum outcome do_group_ff(struct way *way, const struct instruction *i)
{
	switch (i->modrm >> 3 & 7) {
	case 0: /* inc, dec, call */
	case 1:
		return touches_rsp(i) ? GIVEN_UP : GOES_ON;
	case 2:
		return GOES_ON;
	case 6:
		way->now.regs[EPILOGUE_RSP] -= 8;
		return GOES_ON;
	default:
		return GIVEN_UP;
	}
}

/* mov of a word of the stack to a register: gcc restores so, too. */
static enum outcome load(struct way *way, const struct instruction *i)
{
	if (touches_rsp(i) || i->narrow)
		return GIVEN_UP;
	if (!i->has_base || i->base != EPILOGUE_RSP || !(i->rex & 8))
		return GOES_ON;
	return way->read(way->context, way->now.regs[EPILOGUE_RSP] + (uint64_t)i->displacement,
			 &way->now.regs[reg_field(i)], sizeof(uint64_t)) == 0
		       ? GOES_ON
		       : GIVEN_UP;
}

static enum outcome do_one_byte(struct way *way, const struct instruction *i, uint64_t place)
{
	const unsigned low = (i->opcode & 7u) | (i->rex & 1 ? 8 : 0);
	const uint64_t target = way->now.pc + (uint64_t)i->immediate;

	if (i->opcode >= 0x50 && i->opcode < 0x58) {
		way->now.regs[EPILOGUE_RSP] -= 8;
		return GOES_ON;
	}
	if (i->opcode >= 0x58 && i->opcode < 0x60)
		return low != EPILOGUE_RSP && pop(way, &way->now.regs[low]) ? GOES_ON
									    : GIVEN_UP;
	if (i->opcode >= 0x70 && i->opcode < 0x80)
		return branch(way, place, target);
	if (low == EPILOGUE_RSP && ((i->opcode & 0xf8) == 0x90 || (i->opcode & 0xf8) == 0xb8))
		return GIVEN_UP; /* xchg, mov */
	switch (i->opcode) {
	case 0x68:
	case 0x6a:
		way->now.regs[EPILOGUE_RSP] -= 8;
		return GOES_ON;
	case 0x8b:
		return load(way, i);
	case 0xc3:
		return pop(way, &way->now.pc) ? RETURNED : GIVEN_UP;
	case 0xe8:
		return call(way, target);
	case 0xe9:
	case 0xeb:
		way->now.pc = target;
		return GOES_ON;
	case 0xff:
		return do_group_ff(way, i);
	default:
		return touches_rsp(i) ? arithmetic_on_rsp(way, i) : GOES_ON;
	}
}

/* ---- the way ---- */

/* What comes before a place that is returned to: call rel32, or call of a register or of
 * memory. */
static bool follows_call(const struct way *way, uint64_t pc)
{
	uint8_t bytes[7];

	if (way->read(way->context, pc - sizeof(bytes), bytes, sizeof(bytes)) != 0)
		return false;
	if (bytes[2] == 0xe8)
		return true;
	for (unsigned at = 0; at <= 5; at++)
		if (bytes[at] == 0xff && (bytes[at + 1] >> 3 & 7) == 2)
			return true;
	return false;
}

static enum outcome step(struct way *way)
{
	const uint64_t place = way->now.pc;
	uint8_t bytes[2 * INSTRUCTION_MAX];
	struct instruction i;

	if (way->read(way->context, place, bytes, sizeof(bytes)) != 0 || !decode(&i, bytes))
		return GIVEN_UP;
	way->now.pc += i.len;
	return i.two_byte ? do_two_byte(way, &i, place) : do_one_byte(way, &i, place);
}

bool epilogue_follow(struct epilogue *at, elf_memory_read read, void *context)
{
	struct way way = {.now = *at, .read = read, .context = context};
	enum outcome outcome = GOES_ON;

	way.sp_began = at->regs[EPILOGUE_RSP];
	for (unsigned n = 0; outcome == GOES_ON && n < INSTRUCTIONS_MAX; n++)
		outcome = step(&way);
	if (outcome != RETURNED || way.now.regs[EPILOGUE_RSP] <= way.sp_began ||
	    way.now.regs[EPILOGUE_RSP] - way.sp_began > STACK_MAX ||
	    !follows_call(&way, way.now.pc))
		return false;
	*at = way.now;
	return true;
}
