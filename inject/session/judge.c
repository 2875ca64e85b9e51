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
	return safepoint_map_init(&out->map, target, err);
}

void judge_fini(struct judge *judge)
{
	unwinder_free(judge->unwinder);
	safepoint_map_fini(&judge->map);
	free(judge->stack.bytes);
	free(judge->expected_stack.bytes);
	*judge = (struct judge){0};
}

/* ---- the two judgements ---- */

static bool stack_reserve(struct stack_copy *stack, size_t len)
{
	if (len <= stack->room)
		return true;
	free(stack->bytes);
	stack->bytes = malloc(len);
	stack->room = stack->bytes ? len : 0;
	return stack->bytes;
}

/* The stack from sp to the end of its mapping, or nothing: a part of it would prove nothing.
 * What cannot be read is left to the unwinder. */
static void look_at_stack(struct judge *judge, remote_addr sp)
{
	const struct map *map = maps_find(&judge->target->maps, sp);
	const size_t len = map ? (size_t)(map->end.v - sp.v) : 0;
	struct stack_copy *stack = &judge->stack;

	stack->len = 0;
	if (len > STACK_SCAN_MAX || !stack_reserve(stack, len))
		return;
	struct iovec to = {stack->bytes, len};
	struct iovec from = {(void *)(uintptr_t)sp.v, len}; /* NOLINT */
	if (process_vm_readv(judge->target->pid, &to, 1, &from, 1, 0) == (ssize_t)len)
		stack->len = len;
}

static struct span seen_stack(const struct judge *judge)
{
	return (struct span){judge->stack.bytes, judge->stack.len};
}

/* By its place and by what is on its stack. */
static void judge_by_scan(struct safepoint *out, const struct judge *judge,
			  const struct safepoint_stop *stop)
{
	*out = (struct safepoint){.verdict = VERDICT_UNKNOWN,
				  .reason = "on a stack that cannot be read as a whole"};
	if (judge->stack.len)
		safepoint_judge_stack(out, &judge->map, stop, seen_stack(judge));
}

/* By its frames, from there to where the scan wanted them. *strayed_out: not by what is on its
 * stack alone. */
static int judge_by_frames(struct safepoint *out, bool *strayed_out, struct judge *judge,
			   const struct safepoint_stop *stop, struct frame_start start,
			   struct hp_err *err)
{
	struct frame_list frames;

	start.until = out->until;
	start.stack = seen_stack(judge);
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
	const struct stack_copy seen = judge->stack;

	judge->expected = *place;
	judge->stack = judge->expected_stack;
	judge->expected_stack = seen;
	if (stack_reserve(&judge->stack, seen.len)) /* not to fault while the thread is held */
		memset(judge->stack.bytes, 0, seen.len);
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

	judge->expected_stack.len = 0;
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
	const struct stack_copy *stack = &judge->stack;

	return stack->len && stack->len == judge->expected_stack.len &&
	       stop->pc.v == expected->pc.v && stop->sp.v == expected->sp.v && !stop->rseq_cs &&
	       stop->syscall_nr == expected->syscall_nr &&
	       !memcmp(stop->syscall_args, expected->syscall_args,
		       sizeof(stop->syscall_args)) &&
	       !memcmp(stack->bytes, judge->expected_stack.bytes, stack->len);
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
