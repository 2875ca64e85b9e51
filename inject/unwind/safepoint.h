/* SPDX-License-Identifier: MIT
 *
 * May a function that takes libc's locks (pthread_create) be called on this thread, as it
 * stands? Pure judgement: it reads a description and bytes, and touches nobody.
 *
 * The invariant: in doubt, no.
 */
#ifndef INJECT_UNWIND_SAFEPOINT_H
#define INJECT_UNWIND_SAFEPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inject/base/addr.h"
#include "inject/base/err.h"
#include "inject/base/span.h"
#include "inject/target/target.h"
#include "inject/unwind/frames.h"

enum verdict { VERDICT_SAFE, VERDICT_UNSAFE, VERDICT_UNKNOWN };

struct safepoint {
	enum verdict verdict;
	char reason[160]; /* for people: "in malloc", "in ld-linux-x86-64.so.2" */
	/* With VERDICT_UNKNOWN of safepoint_judge_stack(): how far up the stack frames are
	 * wanted, for frame_start.until. No word above it is suspicious. */
	uint64_t until;
};

/* Address ranges of one target, prepared before anything is stopped. Sorted, disjoint. */
struct safepoint_range {
	remote_addr start, end;
	const char *name; /* function or file; borrowed */
	/* Of an allocator that calls nobody outside of its libc: it cannot be what waits for
	 * others. */
	bool never_waits;
};

#define SAFEPOINT_BOTTOMS_MAX 8
struct safepoint_map {
	struct safepoint_range
		*forbidden; /* allocator, loader, thread creation and exit, fork ... */
	size_t forbidden_count;
	/* Where memcpy and its like are, as resolved in the target's GOTs; NULL until learned
	 */
	remote_addr *ifuncs;
	size_t ifunc_count;
	const struct module *libc, *pthread; /* borrowed; no pthread since glibc 2.34 */
	/* Where a thread's own function returns to, in start_thread() and clone(): the one
	 * place of thread creation at which every thread stands all its life. */
	remote_addr bottoms[SAFEPOINT_BOTTOMS_MAX];
	size_t bottom_count;
	remote_addr restore_rt; /* what a signal handler returns to */
};

/* HP_UNSUPPORTED when libc's functions are not to be found, or when the allocator is a part of
 * the program itself, so that its text cannot be told from the rest. Reads the target's memory.
 */
HP_MUST_CHECK int safepoint_map_init(struct safepoint_map *out, const struct target *target,
				     struct hp_err *err);
void safepoint_map_fini(struct safepoint_map *map);
/* What only safepoint_judge_frames() asks for; mostly nobody does. Without it a thread in
 * memcpy is called unsafe. Cheap if done before. */
HP_MUST_CHECK int safepoint_map_learn_ifuncs(struct safepoint_map *map,
					     const struct target *target, struct hp_err *err);

/* Where the thread stands. */
struct safepoint_stop {
	remote_addr pc, sp;
	long syscall_nr; /* -1 when it was not in a system call */
	uint64_t syscall_args[6];
	uint64_t rseq_cs; /* the thread's rseq_cs field; 0 when outside or unknown */
};

/* The fast judgement: the place itself, then every word of the stack (from sp to its end,
 * borrowed bytes) that points into a forbidden range; of a thread that waits, into one that can
 * have led there. VERDICT_UNKNOWN asks for safepoint_judge_frames(). The bytes must reach to
 * the end of the mapping: what was cut off has not been looked at. */
void safepoint_judge_stack(struct safepoint *out, const struct safepoint_map *map,
			   const struct safepoint_stop *stop, struct span stack);

/* The thorough judgement, with the frames. Never VERDICT_UNKNOWN. */
void safepoint_judge_frames(struct safepoint *out, const struct safepoint_map *map,
			    const struct safepoint_stop *stop, const struct frame_list *frames);

#endif
