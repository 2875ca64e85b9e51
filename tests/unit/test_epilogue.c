/* SPDX-License-Identifier: MIT
 *
 * Functions followed to their return, on code made by hand.
 */
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/unwind/epilogue.h"

#define CODE   0x1000u
#define CALLER 0x1400u /* a place after a call */
#define CRASH  0x1500u /* a function that begins with hlt */
#define STACK  0x2000u
#define END    0x3000u

static struct epilogue at;
static uint8_t memory[END - CODE];

static int read_memory(void *context, uint64_t addr, void *out, size_t len)
{
	(void)context;
	if (addr < CODE || addr >= END || len > END - addr)
		return -1;
	memcpy(out, memory + (addr - CODE), len);
	return 0;
}

static void put_word(uint64_t addr, uint64_t word)
{
	memcpy(memory + (addr - CODE), &word, sizeof(word));
}

static void prepare(const void *code, size_t len)
{
	memset(memory, 0x90, sizeof(memory)); /* nop */
	memcpy(memory, code, len);
	memory[CALLER - 5 - CODE] = 0xe8;
	memory[CRASH - CODE] = 0xf4;
	at = (struct epilogue){.pc = CODE,
			       .regs = {[EPILOGUE_RSP] = STACK, [3] = 33, [5] = 55}};
}

#define FOLLOW(code) (prepare(code, sizeof(code) - 1), epilogue_follow(&at, read_memory, NULL))

Test(epilogue, at_the_return_itself)
{
	prepare("\xc3", 1); /* ret, after the system call */
	put_word(STACK, CALLER);
	cr_assert(eq(int, epilogue_follow(&at, read_memory, NULL), 1));
	cr_assert(eq(u64, at.pc, CALLER));
	cr_assert(eq(u64, at.regs[EPILOGUE_RSP], STACK + 8));
}

/* The end of musl's select(), after the system call. */
Test(epilogue, what_was_saved_is_restored)
{
	static const char code[] = "\x48\x89\xc7"                   /* mov %rax,%rdi */
				   "\xe8\x00\x01\x00\x00"           /* call */
				   "\x5a\x59"                       /* pop %rdx; pop %rcx */
				   "\x48\x8b\x54\x24\x18"           /* mov 0x18(%rsp),%rdx */
				   "\x64\x48\x2b\x14\x25\x28\0\0\0" /* sub %fs:0x28,%rdx */
				   "\x75\x44"                       /* jne */
				   "\x48\x83\xc4\x20"               /* add $0x20,%rsp */
				   "\x5b\x41\x5e\xc3"; /* pop %rbx; pop %r14; ret */

	prepare(code, sizeof(code) - 1);
	put_word(STACK + 0x30, 0xb);
	put_word(STACK + 0x38, 0xe);
	put_word(STACK + 0x40, CALLER);
	cr_assert(eq(int, epilogue_follow(&at, read_memory, NULL), 1));
	cr_assert(eq(u64, at.pc, CALLER));
	cr_assert(eq(u64, at.regs[EPILOGUE_RSP], STACK + 0x48));
	cr_assert(eq(u64, at.regs[3], 0xb));
	cr_assert(eq(u64, at.regs[14], 0xe));
	cr_assert(eq(u64, at.regs[5], 55));
}

Test(epilogue, a_loop_is_left_by_its_branch)
{
	static const char code[] = "\x85\xed"             /* test %ebp,%ebp */
				   "\x75\x05"             /* jne past the jump */
				   "\x83\x07\x01"         /* addl $1,(%rdi) */
				   "\xeb\xf7"             /* jmp to the start */
				   "\x48\x8d\x64\x24\x08" /* lea 8(%rsp),%rsp */
				   "\xc3";

	prepare(code, sizeof(code) - 1);
	put_word(STACK + 8, CALLER);
	cr_assert(eq(int, epilogue_follow(&at, read_memory, NULL), 1));
	cr_assert(eq(u64, at.regs[EPILOGUE_RSP], STACK + 16));
}

Test(epilogue, pushes_count_too)
{
	static const char code[] = "\x6a\x00\x68\x01\0\0\0\x50\x41\x54\xff\x30" /* five */
				   "\x48\x81\xc4\x30\0\0\0"                     /* add $0x30 */
				   "\xc3";

	prepare(code, sizeof(code) - 1);
	put_word(STACK + 8, CALLER);
	cr_assert(eq(int, epilogue_follow(&at, read_memory, NULL), 1));
	cr_assert(eq(u64, at.regs[EPILOGUE_RSP], STACK + 16));
}

Test(epilogue, what_cannot_be_counted_is_given_up)
{
	cr_expect(eq(int, FOLLOW("\xc9\xc3"), 0), "leave");
	cr_expect(eq(int, FOLLOW("\x48\x89\xec\xc3"), 0), "mov %%rbp,%%rsp");
	cr_expect(eq(int, FOLLOW("\x48\x8d\x65\xf8\xc3"), 0), "lea -8(%%rbp),%%rsp");
	cr_expect(eq(int, FOLLOW("\x48\x83\xe4\xf0\xc3"), 0), "and $-16,%%rsp");
	cr_expect(eq(int, FOLLOW("\x48\x29\xc4\xc3"), 0), "sub %%rax,%%rsp");
	cr_expect(eq(int, FOLLOW("\x48\x8b\x67\x08\xc3"), 0), "mov 8(%%rdi),%%rsp");
	cr_expect(eq(int, FOLLOW("\x5c\xc3"), 0), "pop %%rsp");
	cr_expect(eq(int, FOLLOW("\x48\x94\xc3"), 0), "xchg %%rax,%%rsp");
	cr_expect(eq(int, FOLLOW("\x48\xff\xc4\xc3"), 0), "inc %%rsp");
	cr_expect(eq(int, FOLLOW("\xff\xe0"), 0), "jmp *%%rax");
	cr_expect(eq(int, FOLLOW("\xf4"), 0), "hlt");
	cr_expect(eq(int, FOLLOW("\xc8\x08\x00\x00\xc3"), 0), "enter");
	cr_expect(eq(int, FOLLOW("\xeb\xfe"), 0), "an endless loop");
	cr_expect(eq(int, FOLLOW("\xe8\xfb\x04\0\0\xc3"), 0), "a call that never returns");
	cr_expect(eq(u64, at.pc, CODE), "it is left as it was");
}

Test(epilogue, what_is_returned_to_comes_after_a_call)
{
	prepare("\xc3", 1);
	put_word(STACK, CALLER + 1);
	cr_assert(eq(int, epilogue_follow(&at, read_memory, NULL), 0));
	memcpy(memory + CALLER - CODE - 1, "\xff\x14\x24", 3); /* call *(%rsp) */
	put_word(STACK, CALLER + 2);
	cr_assert(eq(int, epilogue_follow(&at, read_memory, NULL), 1));
	put_word(STACK, END - 1);
	at.pc = CODE;
	at.regs[EPILOGUE_RSP] = STACK;
	cr_assert(eq(int, epilogue_follow(&at, read_memory, NULL), 0));
}

/* Whatever it is given, it ends; and a yes has moved up the stack. */
Test(epilogue, garbage)
{
	srand(1);
	for (int i = 0; i < 20000; i++) {
		for (size_t n = 0; n < sizeof(memory); n++)
			memory[n] = (uint8_t)rand();
		at = (struct epilogue){.pc = CODE + (unsigned)rand() % 0x1000,
				       .regs = {[EPILOGUE_RSP] = STACK}};
		if (epilogue_follow(&at, read_memory, NULL))
			cr_assert(gt(u64, at.regs[EPILOGUE_RSP], STACK + 1));
	}
}
