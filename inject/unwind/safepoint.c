/* SPDX-License-Identifier: MIT
 *
 * See safepoint.h. The judgement rests on these facts:
 *
 *   - Whoever holds a lock that pthread_create() takes is inside one of the forbidden ranges,
 * or was called from one: a frame of it, hence a word of the stack, points there. A scan that
 *     finds no such word is a proof; a word that is found may be stale, and then the frames
 * tell.
 *   - Only code of libc that has no name may do so by a tail call that left no word behind.
 *     Therefore a thread that runs in libc is judged by its frames as well: the function of
 * libc that the program called must be one that is known. (glibc 2.28's free() ends with a jump
 * to _int_free; memcpy and its like have no names either, being IFUNCs, but are known by
 * place.)
 *   - In a parking system call nobody waits with such a lock, except under a forbidden frame.
 *   - The allocator waits for nobody. What it has left on the stack of a thread that waits for
 *     others is no trace of a call under way, unless a signal handler came in between, which
 *     the scan sees.
 *
 * The invariant: in doubt, no.
 */
#include "inject/unwind/safepoint.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inject/unwind/functions.h"
#include "inject/unwind/safepoint_names.h"

#define WINDOWS_MAX    8
#define WINDOW_GAP_MAX (1u << 20) /* ranges as near as this share a window */

/* ---- ranges ---- */

static int compare_addr(const void *key, const void *item)
{
	const remote_addr *addr = key;
	const struct safepoint_range *range = item;

	if (addr->v < range->start.v)
		return -1;
	return addr->v >= range->end.v;
}

static const struct safepoint_range *forbidden_at(const struct safepoint_map *map,
						  uint64_t place)
{
	const remote_addr addr = addr_of(place);

	return map->forbidden_count ? bsearch(&addr, map->forbidden, map->forbidden_count,
					      sizeof(map->forbidden[0]), compare_addr)
				    : NULL;
}

/* The part of libc that has the address; NULL when none has. */
static const struct module *file_at(const struct safepoint_map *map, remote_addr addr)
{
	const struct module *const files[] = {map->libc, map->pthread};

	for (size_t i = 0; i < 2; i++)
		if (files[i] && addr_in(addr, files[i]->start, files[i]->end))
			return files[i];
	return NULL;
}

static bool in_libc(const struct safepoint_map *map, remote_addr addr)
{
	return file_at(map, addr) != NULL;
}

/* Whether it lies in one of libc's functions that hold nothing. */
static bool is_allowed(const struct safepoint_map *map, remote_addr addr)
{
	const struct module *file = file_at(map, addr);

	return file && functions_allow(file, addr);
}

static bool is_bottom(const struct safepoint_map *map, uint64_t addr)
{
	for (size_t i = 0; i < map->bottom_count; i++)
		if (map->bottoms[i].v == addr)
			return true;
	return false;
}

/* ---- the place itself ---- */

static void conclude(struct safepoint *out, enum verdict verdict, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void conclude(struct safepoint *out, enum verdict verdict, const char *format, ...)
{
	va_list args;

	out->verdict = verdict;
	va_start(args, format);
	vsnprintf(out->reason, sizeof(out->reason), format, args);
	va_end(args);
}

/* VERDICT_UNSAFE, or VERDICT_UNKNOWN when the frames must tell, or VERDICT_SAFE as far as the
 * place goes. *parked_out: it waits in a system call in which nobody holds anything. */
static void judge_place(struct safepoint *out, const struct safepoint_map *map,
			const struct safepoint_stop *stop, bool *parked_out)
{
	const struct safepoint_range *range = forbidden_at(map, stop->pc.v);

	*parked_out = false;
	if (stop->rseq_cs) {
		conclude(out, VERDICT_UNSAFE, "in a restartable sequence");
		return;
	}
	if (range) {
		conclude(out, VERDICT_UNSAFE, "in %s", range->name);
		return;
	}
	conclude(out, VERDICT_SAFE, "outside of libc");
	if (stop->syscall_nr >= 0) {
		switch (safepoint_syscall_class(stop->syscall_nr, stop->syscall_args)) {
		case SYSCALL_PARKING:
			*parked_out = true;
			conclude(out, VERDICT_SAFE, "waiting in system call %ld",
				 stop->syscall_nr);
			return;
		case SYSCALL_UNSAFE:
			conclude(out, VERDICT_UNSAFE, "in system call %ld", stop->syscall_nr);
			return;
		case SYSCALL_OTHER:
			conclude(out, VERDICT_UNKNOWN, "in system call %ld", stop->syscall_nr);
			return;
		}
	}
	if (in_libc(map, stop->pc))
		conclude(out, VERDICT_UNKNOWN, "in libc");
}

/* ---- the scan ---- */

/* Nearly all words point nowhere near: a few coarse windows sort them out. */
struct window {
	uint64_t start, len;
};

static size_t windows_make(struct window windows[WINDOWS_MAX], const struct safepoint_map *map)
{
	size_t count = 0;

	for (size_t i = 0; i < map->forbidden_count; i++) {
		const struct safepoint_range *range = &map->forbidden[i];
		struct window *last = count ? &windows[count - 1] : NULL;

		if (last && (count == WINDOWS_MAX ||
			     range->start.v - (last->start + last->len) <= WINDOW_GAP_MAX)) {
			last->len = range->end.v - last->start;
			continue;
		}
		windows[count++] =
			(struct window){range->start.v, range->end.v - range->start.v};
	}
	return count;
}

/* The range that word returns into, or NULL. A return address comes after the call, so that
 * what equals a function's own address is a pointer to it and no trace of a call. */
static const struct safepoint_range *word_alarms(const struct safepoint_map *map, uint64_t word)
{
	const struct safepoint_range *range = forbidden_at(map, word - 1);

	return range && !is_bottom(map, word) ? range : NULL;
}

struct scan {
	const struct safepoint_range *range; /* the outermost alarm; NULL: none */
	size_t offset;                       /* of its word */
	bool signal; /* a handler's return is there: the rest may lie on another stack */
};

/* Not inside of the allocator, whatever it has left on the stack. */
static bool waits_for_others(const struct safepoint_map *map, const struct safepoint_stop *stop)
{
	switch (safepoint_wait_of(stop->syscall_nr, stop->syscall_args)) {
	case WAIT_READING:
		return is_allowed(map, stop->pc);
	case WAIT_OTHER:
		return true;
	case WAIT_NONE:
		break;
	}
	return false;
}

/* waits: it does for others. */
static struct scan stack_scan(const struct safepoint_map *map, struct span stack, bool waits)
{
	struct window windows[WINDOWS_MAX];
	const size_t window_count = windows_make(windows, map);
	struct scan scan = {0};

	for (size_t at = 0; at + sizeof(uint64_t) <= stack.len; at += sizeof(uint64_t)) {
		const struct safepoint_range *range = NULL;
		uint64_t word;

		memcpy(&word, stack.data + at, sizeof(word));
		for (size_t i = 0; i < window_count; i++)
			if (word - 1 - windows[i].start < windows[i].len)
				range = word_alarms(map, word);
		if (range && !(waits && range->never_waits)) {
			scan.range = range;
			scan.offset = at;
		}
		if (word == map->restore_rt.v && word)
			scan.signal = true;
	}
	return scan;
}

void safepoint_judge_stack(struct safepoint *out, const struct safepoint_map *map,
			   const struct safepoint_stop *stop, struct span stack)
{
	struct scan scan;
	bool parked;

	out->until = 0;
	judge_place(out, map, stop, &parked);
	if (out->verdict == VERDICT_UNSAFE)
		return;
	if (stack.len < sizeof(uint64_t) || stop->sp.v % sizeof(uint64_t) != 0) {
		conclude(out, VERDICT_UNSAFE, "the stack cannot be read");
		return;
	}
	scan = stack_scan(map, stack, waits_for_others(map, stop));
	out->until = stop->sp.v + scan.offset;
	if (scan.range)
		conclude(out, VERDICT_UNKNOWN, "perhaps in %s", scan.range->name);
	if (scan.signal) {
		conclude(out, VERDICT_UNKNOWN, "perhaps in a signal handler");
		out->until = UINT64_MAX;
	}
}

/* ---- the frames ---- */

static uint64_t frame_place(const struct frame *frame)
{
	return frame->exact ? frame->pc.v : frame->pc.v - 1;
}

static bool frame_in_libc(const struct safepoint_map *map, const struct frame *frame)
{
	return in_libc(map, addr_of(frame_place(frame)));
}

/* The kernel's call of a handler looks like a call by this frame; nobody called it. */
static bool is_trampoline(const struct frame_list *frames, size_t i)
{
	return i + 1 < frames->count && frames->items[i + 1].exact;
}

/* The end of the run of libc's frames that begins at first: one past its last. */
static size_t run_end(const struct safepoint_map *map, const struct frame_list *frames,
		      size_t first)
{
	size_t end = first;

	while (end < frames->count && frame_in_libc(map, &frames->items[end]) &&
	       !is_trampoline(frames, end) && (end == first || !frames->items[end].exact))
		end++;
	return end;
}

/* Where the bottom of the stack begins: clone() and start_thread(), below a thread's own
 * function. What start_thread() does when that has returned has more frames above it, or none
 * at all. frames->count when there is no such run. */
static size_t bottom_begin(const struct safepoint_map *map, const struct frame_list *frames)
{
	size_t first = frames->count;

	if (!frames->at_bottom)
		return frames->count;
	while (first > 0 && frame_in_libc(map, &frames->items[first - 1]) &&
	       !frames->items[first - 1].exact)
		first--;
	return first > 0 && frames->count - first <= 2 ? first : frames->count;
}

static const char *file_name(const struct frame *frame)
{
	const char *slash;

	if (!frame->module || !frame->module->path)
		return "libc";
	slash = strrchr(frame->module->path, '/');
	return slash ? slash + 1 : frame->module->path;
}

/* Whether it stands in memcpy or its like: there is no symbol, but unwind information says
 * where its function begins and ends, and a slot leads there. */
static bool in_ifunc(const struct safepoint_map *map, const struct frame *frame)
{
	for (size_t i = 0; i < map->ifunc_count; i++)
		if (addr_in(map->ifuncs[i], frame->start, frame->end))
			return true;
	return false;
}

/* Whether libc may be entered as this run [first, end) shows it: what counts is the function
 * that the program called, the outermost one. */
static bool run_is_known(const struct safepoint_map *map, const struct frame_list *frames,
			 size_t first, size_t end, bool parked)
{
	const struct frame *called = &frames->items[end - 1];
	const remote_addr place = addr_of(frame_place(called));

	if (parked && first == 0)
		return true;
	if (is_allowed(map, place))
		return true;
	return end - first == 1 && called->exact && in_ifunc(map, called);
}

static void conclude_in(struct safepoint *out, const struct safepoint_map *map,
			const struct frame *called)
{
	const struct module *module = called->module;
	struct elf_symbol symbol;

	if (module && elf_image_at(&symbol, &module->image, frame_place(called) - module->bias))
		conclude(out, VERDICT_UNSAFE, "in %s (%s)", symbol.name, file_name(called));
	else
		conclude(out, VERDICT_UNSAFE, "in an unnamed part of %s, at +%#llx",
			 file_name(called),
			 (unsigned long long)(called->pc.v - map->libc->start.v));
}

static bool runs_are_known(struct safepoint *out, const struct safepoint_map *map,
			   const struct frame_list *frames, bool parked)
{
	const size_t bottom = bottom_begin(map, frames);

	for (size_t i = 0; i < bottom; i++) {
		const size_t end = run_end(map, frames, i);

		if (end == i)
			continue;
		if (!run_is_known(map, frames, i, end, parked)) {
			conclude_in(out, map, &frames->items[end - 1]);
			return false;
		}
		i = end - 1;
	}
	return true;
}

static const struct safepoint_range *frames_forbidden(const struct safepoint_map *map,
						      const struct frame_list *frames)
{
	const size_t bottom = bottom_begin(map, frames);

	for (size_t i = 0; i < bottom; i++) {
		const struct frame *frame = &frames->items[i];
		const struct safepoint_range *range = forbidden_at(map, frame_place(frame));

		if (range && (frame->exact || !is_bottom(map, frame->pc.v)))
			return range;
	}
	return NULL;
}

void safepoint_judge_frames(struct safepoint *out, const struct safepoint_map *map,
			    const struct safepoint_stop *stop, const struct frame_list *frames)
{
	const struct safepoint_range *range;
	bool parked;

	judge_place(out, map, stop, &parked);
	if (out->verdict == VERDICT_UNSAFE)
		return;
	if (!frames->complete || frames->count == 0) {
		conclude(out, VERDICT_UNSAFE, "on a stack that cannot be walked to its end");
		return;
	}
	range = frames_forbidden(map, frames);
	if (range) {
		conclude(out, VERDICT_UNSAFE, "in a call from %s", range->name);
		return;
	}
	if (runs_are_known(out, map, frames, parked))
		out->verdict = VERDICT_SAFE;
}
