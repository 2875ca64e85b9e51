/* SPDX-License-Identifier: MIT
 *
 * The judgement on made-up maps and stacks: every rule, both ways.
 *
 *     libc   0x10000  read       0x10100..0x10200  allowed
 *                     malloc     0x10200..0x10300  forbidden, waits for nobody
 *                     memcpy     0x10300..0x10400  an IFUNC's implementation
 *                     qsort      0x10400..0x10500  allowed
 *                     clone      0x10500..0x10600  forbidden; 0x10510 is the bottom
 *                     unnamed    0x10600..0x20000
 *     ld.so  0x40000..0x50000                      forbidden
 *     program 0x90000
 */
#include <elf.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/unwind/safepoint.h"

#define READ       0x10150
#define MALLOC     0x10210
#define MEMCPY     0x10350
#define QSORT      0x10450
#define BOTTOM     0x10510
#define UNNAMED    0x10700
#define RESTORE_RT 0x1f000
#define LOADER     0x44444
#define PROGRAM    0x90000
#define SP         0x7000

static struct safepoint_range forbidden[] = {
	{{0x10200}, {0x10300}, "malloc", true},
	{{0x10500}, {0x10600}, "clone", false},
	{{0x40000}, {0x50000}, "ld.so", false},
};
static const char strings[] = "\0read\0malloc\0qsort";
static const Elf64_Sym symbols[] = {
	{0},
	{.st_name = 1, .st_info = STT_FUNC, .st_shndx = 1, .st_value = 0x100, .st_size = 0x100},
	{.st_name = 6, .st_info = STT_FUNC, .st_shndx = 1, .st_value = 0x200, .st_size = 0x100},
	{.st_name = 13,
	 .st_info = STT_FUNC,
	 .st_shndx = 1,
	 .st_value = 0x400,
	 .st_size = 0x100},
};
static const struct module libc = {
	.start = {0x10000},
	.end = {0x20000},
	.bias = 0x10000,
	.image.symbols = {.items = symbols,
			  .count = 4,
			  .strings = strings,
			  .strings_len = sizeof(strings)},
};
static remote_addr ifuncs[] = {{0x10300}};
static const struct safepoint_map map = {
	.forbidden = forbidden,
	.forbidden_count = 3,
	.ifuncs = ifuncs,
	.ifunc_count = 1,
	.libc = &libc,
	.bottoms = {{BOTTOM}},
	.bottom_count = 1,
	.restore_rt = {RESTORE_RT},
};

/* ---- the scan ---- */

struct scan_case {
	const char *title;
	uint64_t pc;
	long nr; /* of the system call; -1: none */
	uint64_t arg1;
	uint64_t stack[4];
	enum verdict verdict;
	uint64_t until; /* with VERDICT_UNKNOWN */
};

static const struct scan_case scan_cases[] = {
	{"in the program", PROGRAM, -1, 0, {1, PROGRAM, 2, PROGRAM}, VERDICT_SAFE, 0},
	{"in malloc", MALLOC, -1, 0, {PROGRAM}, VERDICT_UNSAFE, 0},
	{"at malloc's first byte", 0x10200, -1, 0, {PROGRAM}, VERDICT_UNSAFE, 0},
	{"just behind malloc", 0x10300, -1, 0, {PROGRAM}, VERDICT_UNKNOWN, SP},
	{"in the loader", LOADER, -1, 0, {PROGRAM}, VERDICT_UNSAFE, 0},
	{"in libc", READ, -1, 0, {PROGRAM}, VERDICT_UNKNOWN, SP},
	{"called from malloc", PROGRAM, -1, 0, {1, 2, MALLOC, 3}, VERDICT_UNKNOWN, SP + 16},
	{"the outermost alarm counts",
	 PROGRAM,
	 -1,
	 0,
	 {MALLOC, 0, 0, LOADER},
	 VERDICT_UNKNOWN,
	 SP + 24},
	{"a call at malloc's very end", PROGRAM, -1, 0, {0x10300}, VERDICT_UNKNOWN, SP},
	{"a pointer to malloc", PROGRAM, -1, 0, {0x10200}, VERDICT_SAFE, 0},
	{"the bottom of a thread", PROGRAM, -1, 0, {0, BOTTOM}, VERDICT_SAFE, 0},
	{"else in clone", PROGRAM, -1, 0, {0, BOTTOM + 1}, VERDICT_UNKNOWN, SP + 8},
	{"in a handler", PROGRAM, -1, 0, {0, RESTORE_RT}, VERDICT_UNKNOWN, UINT64_MAX},
	{"parked in read", READ, SYS_read, 0, {PROGRAM}, VERDICT_SAFE, 0},
	{"parked, by an unnamed function", UNNAMED, SYS_poll, 0, {PROGRAM}, VERDICT_SAFE, 0},
	{"parked under the loader", READ, SYS_read, 0, {LOADER}, VERDICT_UNKNOWN, SP},
	{"parked, malloc was here", READ, SYS_read, 0, {MALLOC, PROGRAM}, VERDICT_SAFE, 0},
	{"parked, malloc and the loader were",
	 READ,
	 SYS_read,
	 0,
	 {LOADER, PROGRAM, MALLOC},
	 VERDICT_UNKNOWN,
	 SP},
	{"malloc itself reads", UNNAMED, SYS_read, 0, {MALLOC}, VERDICT_UNKNOWN, SP},
	{"polling, malloc was here", UNNAMED, SYS_poll, 0, {MALLOC}, VERDICT_SAFE, 0},
	{"writing, perhaps for malloc", READ, SYS_write, 0, {MALLOC}, VERDICT_UNKNOWN, SP},
	{"polling in a handler over malloc",
	 READ,
	 SYS_poll,
	 0,
	 {RESTORE_RT, MALLOC},
	 VERDICT_UNKNOWN,
	 UINT64_MAX},
	{"waiting for a semaphore, malloc was here",
	 UNNAMED,
	 SYS_futex,
	 FUTEX_WAIT_BITSET,
	 {MALLOC, PROGRAM},
	 VERDICT_SAFE,
	 0},
	{"waiting for malloc's lock",
	 UNNAMED,
	 SYS_futex,
	 FUTEX_WAIT | FUTEX_PRIVATE_FLAG,
	 {MALLOC, PROGRAM},
	 VERDICT_UNKNOWN,
	 SP},
	{"waiting for a semaphore",
	 UNNAMED,
	 SYS_futex,
	 FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME,
	 {PROGRAM},
	 VERDICT_SAFE,
	 0},
	{"waiting for a low-level lock",
	 UNNAMED,
	 SYS_futex,
	 FUTEX_WAIT | FUTEX_PRIVATE_FLAG,
	 {PROGRAM},
	 VERDICT_UNKNOWN,
	 SP},
	{"the rest of a sleep", READ, SYS_restart_syscall, 0, {PROGRAM}, VERDICT_SAFE, 0},
	{"in brk", READ, SYS_brk, 0, {PROGRAM}, VERDICT_UNSAFE, 0},
	{"in mmap, by the program", PROGRAM, SYS_mmap, 0, {PROGRAM}, VERDICT_UNSAFE, 0},
	{"in exit", PROGRAM, SYS_exit, 0, {PROGRAM}, VERDICT_UNSAFE, 0},
	{"in another call", READ, SYS_getpid, 0, {PROGRAM}, VERDICT_UNKNOWN, SP},
	{"a call that does not exist", PROGRAM, 100000, 0, {PROGRAM}, VERDICT_UNKNOWN, SP},
};

Test(safepoint, scan)
{
	for (size_t i = 0; i < sizeof(scan_cases) / sizeof(scan_cases[0]); i++) {
		const struct scan_case *c = &scan_cases[i];
		const struct safepoint_stop stop = {.pc = {c->pc},
						    .sp = {SP},
						    .syscall_nr = c->nr,
						    .syscall_args = {0, c->arg1}};
		struct safepoint got;

		safepoint_judge_stack(
			&got, &map, &stop,
			(struct span){(const uint8_t *)c->stack, sizeof(c->stack)});
		cr_expect(eq(int, got.verdict, c->verdict), "%s: %s", c->title, got.reason);
		if (c->verdict == VERDICT_UNKNOWN)
			cr_expect(eq(u64, got.until, c->until), "%s: %s", c->title, got.reason);
	}
}

Test(safepoint, restartable_sequence)
{
	const uint64_t word = PROGRAM;
	const struct span stack = {(const uint8_t *)&word, sizeof(word)};
	struct safepoint_stop stop = {
		.pc = {PROGRAM}, .sp = {SP}, .syscall_nr = -1, .rseq_cs = 1};
	struct safepoint got;

	safepoint_judge_stack(&got, &map, &stop, stack);
	cr_expect(eq(int, got.verdict, VERDICT_UNSAFE));
	stop.rseq_cs = 0;
	safepoint_judge_stack(&got, &map, &stop, stack);
	cr_expect(eq(int, got.verdict, VERDICT_SAFE));
}

Test(safepoint, stack_not_readable)
{
	const uint64_t word = PROGRAM;
	struct safepoint_stop stop = {.pc = {PROGRAM}, .sp = {SP}, .syscall_nr = -1};
	struct safepoint got;

	safepoint_judge_stack(&got, &map, &stop, (struct span){NULL, 0});
	cr_expect(eq(int, got.verdict, VERDICT_UNSAFE));
	stop.sp.v = SP + 4;
	safepoint_judge_stack(&got, &map, &stop,
			      (struct span){(const uint8_t *)&word, sizeof(word)});
	cr_expect(eq(int, got.verdict, VERDICT_UNSAFE));
}

Test(safepoint, says_where)
{
	const struct safepoint_stop stop = {.pc = {LOADER}, .sp = {SP}, .syscall_nr = -1};
	struct safepoint got;

	safepoint_judge_stack(&got, &map, &stop, (struct span){NULL, 0});
	cr_expect(eq(str, got.reason, "in ld.so"));
}

/* ---- the frames ---- */

#define EXACT (1ull << 63) /* marks an interrupted frame */

struct frames_case {
	const char *title;
	long nr;
	uint64_t pcs[6];
	bool incomplete, cut; /* cut: complete, but not to the bottom */
	enum verdict verdict;
};

static const struct frames_case frames_cases[] = {
	{"program only", -1, {PROGRAM, PROGRAM}, 0, 0, VERDICT_SAFE},
	{"walk that failed", -1, {PROGRAM, PROGRAM}, 1, 0, VERDICT_UNSAFE},
	{"no frame", -1, {0}, 0, 0, VERDICT_UNSAFE},
	{"in read, before its call", -1, {READ, PROGRAM}, 0, 0, VERDICT_SAFE},
	{"in malloc", -1, {MALLOC, PROGRAM}, 0, 0, VERDICT_UNSAFE},
	{"under malloc", -1, {UNNAMED, MALLOC, PROGRAM}, 0, 0, VERDICT_UNSAFE},
	{"parked under malloc", SYS_read, {READ, MALLOC, PROGRAM}, 0, 0, VERDICT_UNSAFE},
	{"under the loader", -1, {PROGRAM, LOADER, PROGRAM}, 0, 0, VERDICT_UNSAFE},
	{"returns to malloc's start: read's last call",
	 -1,
	 {PROGRAM, 0x10200, PROGRAM},
	 0,
	 0,
	 VERDICT_SAFE},
	{"returns to malloc's end", -1, {PROGRAM, 0x10300, PROGRAM}, 0, 0, VERDICT_UNSAFE},
	{"memcpy", -1, {MEMCPY, PROGRAM}, 0, 0, VERDICT_SAFE},
	{"memcpy as a caller", -1, {UNNAMED, MEMCPY, PROGRAM}, 0, 0, VERDICT_UNSAFE},
	{"memcpy, called by qsort", -1, {MEMCPY, QSORT, PROGRAM}, 0, 0, VERDICT_SAFE},
	{"memcpy, called by an unnamed", -1, {MEMCPY, UNNAMED, PROGRAM}, 0, 0, VERDICT_UNSAFE},
	{"unnamed leaf", -1, {UNNAMED, PROGRAM}, 0, 0, VERDICT_UNSAFE},
	{"unnamed leaf, parked", SYS_read, {UNNAMED, PROGRAM}, 0, 0, VERDICT_SAFE},
	{"unnamed leaf, in another call", SYS_getpid, {UNNAMED, PROGRAM}, 0, 0, VERDICT_UNSAFE},
	{"unnamed, called by read", -1, {UNNAMED, READ, PROGRAM}, 0, 0, VERDICT_SAFE},
	{"called back by qsort", -1, {PROGRAM, QSORT, PROGRAM}, 0, 0, VERDICT_SAFE},
	{"called back by an unnamed", -1, {PROGRAM, UNNAMED, PROGRAM}, 0, 0, VERDICT_UNSAFE},
	{"parked, called back by an unnamed",
	 SYS_read,
	 {READ, PROGRAM, UNNAMED, PROGRAM},
	 0,
	 0,
	 VERDICT_UNSAFE},
	{"a thread's bottom", -1, {PROGRAM, UNNAMED, BOTTOM}, 0, 0, VERDICT_SAFE},
	{"the bottom by its shape", -1, {PROGRAM, UNNAMED, BOTTOM + 1}, 0, 0, VERDICT_SAFE},
	{"no bottom: too long",
	 -1,
	 {PROGRAM, UNNAMED, UNNAMED, BOTTOM + 1},
	 0,
	 0,
	 VERDICT_UNSAFE},
	{"no bottom: the walk was cut", -1, {PROGRAM, UNNAMED, BOTTOM}, 0, 1, VERDICT_UNSAFE},
	{"a thread that ends", -1, {UNNAMED, BOTTOM}, 0, 0, VERDICT_UNSAFE},
	{"in brk", SYS_brk, {READ, PROGRAM}, 0, 0, VERDICT_UNSAFE},
	{"handler over the program",
	 -1,
	 {PROGRAM, RESTORE_RT, EXACT | PROGRAM},
	 0,
	 0,
	 VERDICT_SAFE},
	{"handler over malloc",
	 -1,
	 {PROGRAM, RESTORE_RT, EXACT | MALLOC, PROGRAM},
	 0,
	 0,
	 VERDICT_UNSAFE},
	{"handler over malloc's first byte",
	 -1,
	 {PROGRAM, RESTORE_RT, EXACT | 0x10200, PROGRAM},
	 0,
	 0,
	 VERDICT_UNSAFE},
	{"handler over memcpy",
	 -1,
	 {PROGRAM, RESTORE_RT, EXACT | MEMCPY, PROGRAM},
	 0,
	 0,
	 VERDICT_SAFE},
	{"handler over memcpy under malloc",
	 -1,
	 {PROGRAM, RESTORE_RT, EXACT | MEMCPY, MALLOC, PROGRAM},
	 0,
	 0,
	 VERDICT_UNSAFE},
	{"handler over an unnamed leaf",
	 -1,
	 {PROGRAM, RESTORE_RT, EXACT | UNNAMED, PROGRAM},
	 0,
	 0,
	 VERDICT_UNSAFE},
	{"a handler of libc's own",
	 -1,
	 {UNNAMED, RESTORE_RT, EXACT | PROGRAM},
	 0,
	 0,
	 VERDICT_UNSAFE},
};

/* Every function here is 0x100 long. */
static struct frame frame_of(uint64_t pc, bool exact)
{
	const uint64_t start = exact ? pc & ~0xffull : 0;

	return (struct frame){
		.pc = {pc}, .exact = exact, .start = {start}, .end = {start + 0x100 * exact}};
}

Test(safepoint, frames)
{
	static struct frame_list frames;

	for (size_t i = 0; i < sizeof(frames_cases) / sizeof(frames_cases[0]); i++) {
		const struct frames_case *c = &frames_cases[i];
		const struct safepoint_stop stop = {
			.pc = {c->pcs[0]}, .sp = {SP}, .syscall_nr = c->nr};
		struct safepoint got;

		frames.complete = !c->incomplete;
		frames.at_bottom = !c->incomplete && !c->cut;
		for (frames.count = 0; frames.count < 6 && c->pcs[frames.count]; frames.count++)
			frames.items[frames.count] =
				frame_of(c->pcs[frames.count] & ~EXACT,
					 !frames.count || (c->pcs[frames.count] & EXACT));
		safepoint_judge_frames(&got, &map, &stop, &frames);
		cr_expect(eq(int, got.verdict, c->verdict), "%s: %s", c->title, got.reason);
	}
}
