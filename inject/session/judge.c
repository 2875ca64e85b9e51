/* SPDX-License-Identifier: MIT
 *
 * See judge.h. The invariant: in doubt, no.
 */
#include "inject/session/judge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "inject/unwind/safepoint_names.h"

#define STACK_SCAN_MAX (8u << 20)

int judge_init(struct judge *out, const struct target *target, struct hp_err *err)
{
	*out = (struct judge){.target = target};
	out->stack = malloc(STACK_SCAN_MAX);
	out->expected_stack = malloc(STACK_SCAN_MAX);
	if (!out->stack || !out->expected_stack)
		return hp_err_set(err, HP_SYSTEM, ENOMEM, "prepare the stack scan");
	return safepoint_map_init(&out->map, target, err);
}

void judge_fini(struct judge *judge)
{
	unwinder_free(judge->unwinder);
	safepoint_map_fini(&judge->map);
	free(judge->stack);
	free(judge->expected_stack);
	*judge = (struct judge){0};
}

/* ---- the two judgements ---- */

/* The stack from sp to the end of its mapping, or nothing: a part of it would prove nothing.
 * What cannot be read is left to the unwinder. */
static void look_at_stack(struct judge *judge, remote_addr sp)
{
	const struct map *map = maps_find(&judge->target->maps, sp);
	size_t len;

	judge->stack_len = 0;
	if (!map)
		return;
	len = (size_t)(map->end.v - sp.v);
	if (len > STACK_SCAN_MAX)
		return;
	struct iovec to = {judge->stack, len};
	struct iovec from = {(void *)(uintptr_t)sp.v, len}; /* NOLINT */
	if (process_vm_readv(judge->target->pid, &to, 1, &from, 1, 0) == (ssize_t)len)
		judge->stack_len = len;
}

/* By its place and by what is on its stack. */
static void judge_by_scan(struct safepoint *out, const struct judge *judge,
			  const struct safepoint_stop *stop)
{
	*out = (struct safepoint){.verdict = VERDICT_UNKNOWN,
				  .reason = "on a stack that cannot be read as a whole"};
	if (judge->stack_len)
		safepoint_judge_stack(out, &judge->map, stop,
				      (struct span){judge->stack, judge->stack_len});
}

/* By its frames, from there to where the scan wanted them. *strayed_out: not by what is on its
 * stack alone. */
static int judge_by_frames(struct safepoint *out, bool *strayed_out, struct judge *judge,
			   const struct safepoint_stop *stop, struct frame_start start,
			   struct hp_err *err)
{
	struct frame_list frames;

	start.until = out->until;
	start.stack = (struct span){judge->stack, judge->stack_len};
	if (unwinder_collect(&frames, judge->unwinder, &start, err) < 0)
		return -1;
	safepoint_judge_frames(out, &judge->map, stop, &frames);
	*strayed_out = frames.strayed;
	return 0;
}

/* ---- before the stop ---- */

static int make_unwinder(struct judge *judge, struct hp_err *err)
{
	return judge->unwinder ? 0 : unwinder_new(&judge->unwinder, judge->target, err);
}

int judge_prepare_frames(struct judge *judge, struct hp_err *err)
{
	if (safepoint_map_learn_ifuncs(&judge->map, judge->target, err) < 0 ||
	    make_unwinder(judge, err) < 0)
		return -1;
	unwinder_read_tables(judge->unwinder);
	return 0;
}

static void expect(struct judge *judge, const struct safepoint_stop *place)
{
	uint8_t *seen = judge->stack;

	judge->expected = *place;
	judge->expected_len = judge->stack_len;
	judge->stack = judge->expected_stack;
	judge->expected_stack = seen;
	memset(judge->stack, 0, judge->stack_len); /* not to fault while the thread is held */
}

/* All registers but two are taken for 0. Where one of them is needed to walk on, the walk
 * fails, and proves nothing. */
static int judge_guess(struct safepoint *out, bool *strayed_out, struct judge *judge,
		       const struct safepoint_stop *place, struct hp_err *err)
{
	const struct frame_start start = {.rip = place->pc.v, .rsp = place->sp.v};

	*strayed_out = false;
	look_at_stack(judge, place->sp);
	judge_by_scan(out, judge, place);
	if (out->verdict != VERDICT_UNKNOWN)
		return 0;
	if (make_unwinder(judge, err) < 0)
		return -1;
	return judge_by_frames(out, strayed_out, judge, place, start, err);
}

/* A thread that waits is judged as it waits; one that computes may be anywhere by then, and
 * what the frames take is large. */
int judge_expect(struct judge *judge, const struct safepoint_stop *place, struct hp_err *err)
{
	struct safepoint guess = {.verdict = VERDICT_UNKNOWN};
	bool strayed;

	judge->expected_len = 0;
	if (judge->wants_frames || addr_is_null(place->sp) || place->syscall_nr < 0)
		return judge_prepare_frames(judge, err);
	if (judge_guess(&guess, &strayed, judge, place, err) < 0)
		return -1;
	if (guess.verdict == VERDICT_SAFE && !strayed)
		expect(judge, place);
	return 0;
}

/* ---- the stop ---- */

/* A judgement goes by nothing else than this. */
static bool is_as_expected(const struct judge *judge, const struct safepoint_stop *stop)
{
	const struct safepoint_stop *expected = &judge->expected;

	return judge->expected_len && judge->expected_len == judge->stack_len &&
	       stop->pc.v == expected->pc.v && stop->sp.v == expected->sp.v && !stop->rseq_cs &&
	       stop->syscall_nr == expected->syscall_nr &&
	       !memcmp(stop->syscall_args, expected->syscall_args,
		       sizeof(stop->syscall_args)) &&
	       !memcmp(judge->stack, judge->expected_stack, judge->stack_len);
}

int judge_thread(struct safepoint *out, struct judge *judge, const struct tracee *tracee,
		 struct hp_err *err)
{
	struct safepoint_stop stop = {
		.pc = arch_pc(&tracee->regs),
		.sp = arch_sp(&tracee->regs),
		.rseq_cs = tracee_rseq_cs(tracee),
	};
	struct frame_start start;
	bool strayed;

	stop.syscall_nr = arch_syscall(&tracee->regs, stop.syscall_args);
	look_at_stack(judge, stop.sp);
	if (is_as_expected(judge, &stop)) {
		*out = (struct safepoint){.verdict = VERDICT_SAFE, .reason = "as expected"};
		return 0;
	}
	judge_by_scan(out, judge, &stop);
	if (out->verdict == VERDICT_UNKNOWN && judge->unwinder) {
		arch_frame_start(&start, &tracee->regs);
		if (judge_by_frames(out, &strayed, judge, &stop, start, err) < 0)
			return -1;
	}
	if (out->verdict != VERDICT_SAFE) {
		out->verdict = VERDICT_UNSAFE;
		judge->wants_frames = true; /* the next time */
	}
	return 0;
}

/* ---- outside of Python ---- */

static bool has_python(const struct judge *judge, const struct frame_list *frames)
{
	for (size_t i = 0; i < frames->count; i++)
		if (frames->items[i].module == judge->target->python.module)
			return true;
	return false;
}

int judge_waits_outside(bool *out, struct judge *judge, const struct tracee *tracee,
			struct hp_err *err)
{
	struct frame_list frames;
	struct frame_start start;
	uint64_t args[6];
	const long nr = arch_syscall(&tracee->regs, args);

	*out = false;
	if (nr < 0 || safepoint_syscall_class(nr, args) != SYSCALL_PARKING)
		return 0;
	arch_frame_start(&start, &tracee->regs);
	if (unwinder_collect(&frames, judge->unwinder, &start, err) < 0)
		return -1;
	*out = frames.complete && !has_python(judge, &frames);
	return 0;
}

bool judge_may_wait_outside(struct judge *judge, const struct safepoint_stop *place)
{
	const struct frame_start start = {.rip = place->pc.v, .rsp = place->sp.v};
	struct frame_list frames;
	struct hp_err ignored;

	if (unwinder_collect(&frames, judge->unwinder, &start, &ignored) < 0)
		return false;
	return !has_python(judge, &frames);
}
