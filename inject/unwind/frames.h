/* SPDX-License-Identifier: MIT
 *
 * The call stack of a stopped thread. The only part that knows libunwind, used with accessors
 * of our own over snapshots of the target's memory, so that no word is peeked by ptrace.
 */
#ifndef INJECT_UNWIND_FRAMES_H
#define INJECT_UNWIND_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inject/base/addr.h"
#include "inject/base/err.h"
#include "inject/target/target.h"

struct frame {
	remote_addr pc;              /* return address, or the pc itself in frame 0 */
	const struct module *module; /* borrowed from the target; NULL outside of every file */
	const char *function;        /* by address and size; NULL when no symbol holds pc */
};

#define FRAMES_MAX 128
struct frame_list {
	struct frame items[FRAMES_MAX];
	size_t count;
	bool complete; /* the walk ended at the outermost frame, not at an error or at
			  FRAMES_MAX */
};

/* What the walk starts from, in DWARF order where it matters (x86-64). */
struct frame_start {
	uint64_t rip, rsp, rbp, rbx, r12, r13, r14, r15;
	uint64_t rax, rcx, rdx, rsi, rdi, r8, r9, r10, r11;
};

/* Walk the stack. An unwind that stops early is no error: complete is false then. */
HP_MUST_CHECK int frames_collect(struct frame_list *out, const struct target *target,
				 const struct frame_start *start, struct hp_err *err);

#endif
