/* SPDX-License-Identifier: MIT
 *
 * See judge.h. The invariant: in doubt, no.
 */
#include "inject/session/judge.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "inject/unwind/safepoint_names.h"

#define STACK_SCAN_MAX (8u << 20)

int judge_init(struct judge *out, const struct target *target, struct hp_err *err)
{
	*out = (struct judge){.target = target};
	out->stack = malloc(STACK_SCAN_MAX);
	if (!out->stack)
		return hp_err_set(err, HP_SYSTEM, ENOMEM, "prepare the stack scan");
	return safepoint_map_init(&out->map, target, err);
}

void judge_fini(struct judge *judge)
{
	unwinder_free(judge->unwinder);
	safepoint_map_fini(&judge->map);
	free(judge->stack);
	*judge = (struct judge){0};
}

/* The stack from sp to the end of its mapping, or nothing: a part of it would prove nothing.
 * What cannot be read is left to the unwinder. */
static size_t stack_snapshot(struct judge *judge, remote_addr sp)
{
	const struct map *map = maps_find(&judge->target->maps, sp);
	size_t len;

	if (!map)
		return 0;
	len = (size_t)(map->end.v - sp.v);
	if (len > STACK_SCAN_MAX)
		return 0;
	struct iovec to = {judge->stack, len};
	struct iovec from = {(void *)(uintptr_t)sp.v, len}; /* NOLINT */
	ssize_t n = process_vm_readv(judge->target->pid, &to, 1, &from, 1, 0);
	return n == (ssize_t)len ? len : 0;
}

/* By its place and by what is on its stack now. */
static void scan(struct safepoint *out, struct judge *judge, const struct safepoint_stop *stop)
{
	const size_t len = stack_snapshot(judge, stop->sp);

	*out = (struct safepoint){.verdict = VERDICT_UNKNOWN,
				  .reason = "on a stack that cannot be read as a whole"};
	if (len)
		safepoint_judge_stack(out, &judge->map, stop, (struct span){judge->stack, len});
}

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

/* The tables that frames need are large, and a thread that waits can mostly be judged without:
 * look before it is stopped. One that computes may be anywhere by then. */
int judge_expect(struct judge *judge, const struct safepoint_stop *place, struct hp_err *err)
{
	const bool waits = !addr_is_null(place->sp) && place->syscall_nr >= 0;
	struct safepoint guess;

	if (judge->wants_frames || !waits)
		return judge_prepare_frames(judge, err);
	scan(&guess, judge, place);
	if (guess.verdict == VERDICT_SAFE)
		return 0;
	if (make_unwinder(judge, err) < 0)
		return -1;
	unwinder_rehearse(judge->unwinder, place->pc, place->sp, guess.until);
	return 0;
}

static int judge_frames(struct safepoint *out, struct judge *judge, const struct tracee *tracee,
			const struct safepoint_stop *stop, struct hp_err *err)
{
	struct frame_list frames;
	struct frame_start start;

	arch_frame_start(&start, &tracee->regs);
	start.until = out->until;
	if (unwinder_collect(&frames, judge->unwinder, &start, err) < 0)
		return -1;
	safepoint_judge_frames(out, &judge->map, stop, &frames);
	judge->wants_frames = out->verdict != VERDICT_SAFE;
	return 0;
}

int judge_thread(struct safepoint *out, struct judge *judge, const struct tracee *tracee,
		 struct hp_err *err)
{
	struct safepoint_stop stop = {
		.pc = arch_pc(&tracee->regs),
		.sp = arch_sp(&tracee->regs),
		.rseq_cs = tracee_rseq_cs(tracee),
	};

	stop.syscall_nr = arch_syscall(&tracee->regs, stop.syscall_args);
	scan(out, judge, &stop);
	if (out->verdict != VERDICT_UNKNOWN)
		return 0;
	if (judge->unwinder)
		return judge_frames(out, judge, tracee, &stop, err);
	judge->wants_frames = true; /* the next time */
	out->verdict = VERDICT_UNSAFE;
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
