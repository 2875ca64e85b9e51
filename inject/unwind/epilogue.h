/* SPDX-License-Identifier: MIT
 *
 * Out of a function that has no unwind information (all of musl's), by its code: whichever way
 * a function takes to its return, it takes off the stack what it put there. So one way is
 * followed from where the thread stands, and counted.
 *
 * The invariant: an instruction that is not understood, or that does to the stack pointer what
 * cannot be counted, ends it with a no.
 */
#ifndef INJECT_UNWIND_EPILOGUE_H
#define INJECT_UNWIND_EPILOGUE_H

#include <stdbool.h>
#include <stdint.h>

#include "inject/elf/elf_image.h"

/* Numbered as instructions name them: rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8 to r15. */
#define EPILOGUE_RSP 4

struct epilogue {
	uint64_t pc;
	uint64_t regs[16];
};

/* Follow the function at `at` to its end: afterwards it is in the caller, past the call, and
 * what the function had saved of registers is back in them (those that a caller may not count
 * on, are not worth anything). False when that cannot be told, or what is returned to comes
 * after no call. */
bool epilogue_follow(struct epilogue *at, elf_memory_read read, void *context);

#endif
