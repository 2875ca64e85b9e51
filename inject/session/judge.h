/* SPDX-License-Identifier: MIT
 *
 * May this stopped thread be used? What the judgement needs of the target (unwind/safepoint.h)
 * is prepared once, before anything is stopped.
 */
#ifndef INJECT_SESSION_JUDGE_H
#define INJECT_SESSION_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "inject/base/err.h"
#include "inject/target/target.h"
#include "inject/trace/tracee.h"
#include "inject/unwind/frames.h"
#include "inject/unwind/safepoint.h"

struct stack_copy {
	uint8_t *bytes; /* owned */
	size_t len, room;
};

struct judge {
	const struct target *target; /* borrowed */
	struct safepoint_map map;
	struct unwinder *unwinder; /* owned; NULL until frames are wanted */
	bool wants_frames;         /* a stop has shown that they are */
	struct stack_copy stack;   /* at the last look */
	/* A judgement made before the stop: safe, provided that the thread stands there, and
	 * that its stack is the same to the byte. */
	struct safepoint_stop expected;
	struct stack_copy expected_stack; /* of no bytes: none is expected */
};

/* judge_fini() is due whatever comes of it. */
HP_MUST_CHECK int judge_init(struct judge *out, const struct target *target,
			     struct hp_err *err);
void judge_fini(struct judge *judge);

/* What judging by frames takes; cheap if done before. Nothing may be stopped meanwhile: it
 * reads the unwind tables of libc and Python. */
HP_MUST_CHECK int judge_prepare_frames(struct judge *judge, struct hp_err *err);

/* A thread that seems to be at that place (sp is null: somewhere) is about to be stopped: get
 * ready for it, so that it need not wait for what can be read now. */
HP_MUST_CHECK int judge_expect(struct judge *judge, const struct safepoint_stop *place,
			       struct hp_err *err);

/* Whether pthread_create() may be called on it. Never VERDICT_UNKNOWN. When its stack must be
 * walked, but nothing is prepared for that, the answer is no until judge_expect() has been
 * asked again. */
HP_MUST_CHECK int judge_thread(struct safepoint *out, struct judge *judge,
			       const struct tracee *tracee, struct hp_err *err);

/* Whether it waits in a system call that was made by a program around Python, not by Python: no
 * frame of the interpreter is on its stack. After judge_prepare_frames(). */
HP_MUST_CHECK int judge_waits_outside(bool *out, struct judge *judge,
				      const struct tracee *tracee, struct hp_err *err);

/* The same guess about a thread that is not stopped: false when Python is on its stack. */
bool judge_may_wait_outside(struct judge *judge, const struct safepoint_stop *place);

#endif
