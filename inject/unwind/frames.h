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
#include "inject/base/span.h"
#include "inject/target/target.h"

struct frame {
	remote_addr pc;              /* return address, or the pc itself when exact */
	const struct module *module; /* borrowed from the target; NULL outside of every file */
	bool exact; /* where it stands: frame 0, and what a signal interrupted */
	/* Of the function around pc, as its unwind information says; exact ones only, else null
	 */
	remote_addr start, end;
};

#define FRAMES_MAX 512
/* A stack with more frames than this keeps those of libc, of the loader and of the allocator,
 * and of a row of others the outermost; it is complete all the same. */
struct frame_list {
	struct frame items[FRAMES_MAX];
	size_t count;
	bool complete;  /* the walk ended at the outermost frame or past start.until, not at an
			 * error or at FRAMES_MAX */
	bool at_bottom; /* the last item is the outermost frame of the thread */
	bool strayed;   /* more had a say in it than start, and what the target cannot write */
};

/* What the walk starts from, in DWARF order where it matters (x86-64). */
struct frame_start {
	uint64_t rip, rsp, rbp, rbx, r12, r13, r14, r15;
	uint64_t rax, rcx, rdx, rsi, rdi, r8, r9, r10, r11;
	/* When not 0: the walk may end at the first frame outside of libc whose stack lies
	 * above this address; safepoint_judge_stack() says how far is far enough. */
	uint64_t until;
	struct span stack; /* borrowed; what lies from rsp on, as far as somebody has read it */
};

/* Walks the stacks of one target. What it learns of read-only mappings it keeps from one walk
 * to the next; the rest it reads anew. */
struct unwinder;

/* target is borrowed. */
HP_MUST_CHECK int unwinder_new(struct unwinder **out, const struct target *target,
			       struct hp_err *err);
void unwinder_free(struct unwinder *unwinder);

/* Before a thread is stopped of which nothing is known: reads the unwind tables of libc and
 * Python as a whole. Cheap if done before. */
void unwinder_read_tables(struct unwinder *unwinder);

/* Walk the stack. An unwind that stops early is no error: complete is false then. A walk like
 * one that was made before takes a fifth of its time. */
HP_MUST_CHECK int unwinder_collect(struct frame_list *out, struct unwinder *unwinder,
				   const struct frame_start *start, struct hp_err *err);

/* The same with an unwinder for this one walk. */
HP_MUST_CHECK int frames_collect(struct frame_list *out, const struct target *target,
				 const struct frame_start *start, struct hp_err *err);

#endif
