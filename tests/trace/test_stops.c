/* SPDX-License-Identifier: MIT
 *
 * Judgements of real stops against the truth that the victims tell: none is called safe inside
 * the allocator, the loader or thread creation; whoever is parked is let in at once, and the
 * walk of its stack reaches the end.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/deadline.h"
#include "inject/unwind/frames.h"
#include "inject/unwind/safepoint.h"
#include "tests/trace/bodies.h"
#include "tests/trace/victim.h"

#define PARKED_STOPS 5
#define ACTIVE_STOPS 150
#define EXTRA_STOPS  5000
#define STACK_MAX    (8u << 20)

/* A sanitizer's library provides malloc and wraps read, poll and the rest, all in one text:
 * whoever waits there is called unsafe, and rightly so by the rule. */
#ifdef __SANITIZE_ADDRESS__
#define WRAPPED true
#else
#define WRAPPED false
#endif

TestSuite(stops, .timeout = 120);

/* ---- one stop ---- */

struct stage {
	struct victim victim;
	struct target target;
	struct safepoint_map map;
	struct unwinder *unwinder;
	uint8_t *stack;
};

struct stop {
	struct user_regs_struct regs;
	struct safepoint_stop place;
	struct safepoint scanned, judged;
	bool walked;
	int inside, over_libc; /* the truth */
	int64_t scan_ns, walk_ns;
};

/* Whether the victims are those that are linked with musl. */
static bool on_musl;

static void stage_open(struct stage *stage, const struct body *body)
{
	struct hp_err err;

	if (on_musl)
		victim_spawn_on_musl(&stage->victim, body->name);
	else
		victim_spawn(&stage->victim, body->run, body->on_thread);
	victim_describe(&stage->target, &stage->victim);
	stage->stack = malloc(STACK_MAX);
	cr_assert(eq(int, safepoint_map_init(&stage->map, &stage->target, &err), 0), "%s",
		  err.text);
	cr_assert(eq(int, safepoint_map_learn_ifuncs(&stage->map, &stage->target, &err), 0),
		  "%s", err.text);
	cr_assert(eq(int, unwinder_new(&stage->unwinder, &stage->target, &err), 0), "%s",
		  err.text);
}

static void stage_close(struct stage *stage)
{
	unwinder_free(stage->unwinder);
	safepoint_map_fini(&stage->map);
	target_fini(&stage->target);
	free(stage->stack);
	victim_end(&stage->victim);
}

/* Signals that arrive before the stop are passed on. */
static void hold(pid_t tid)
{
	int status;

	cr_assert(eq(int, (int)ptrace(PTRACE_SEIZE, tid, 0, 0), 0));
	ptrace(PTRACE_INTERRUPT, tid, 0, 0);
	for (;;) {
		cr_assert(eq(int, waitpid(tid, &status, __WALL), tid));
		cr_assert(eq(int, WIFSTOPPED(status) ? 1 : 0, 1), "the victim ended");
		if (status >> 16 == PTRACE_EVENT_STOP)
			return;
		ptrace(PTRACE_CONT, tid, 0, WSTOPSIG(status));
	}
}

static struct span stack_of(struct stage *stage, const struct stop *stop)
{
	const struct map *map = maps_find(&stage->target.maps, stop->place.sp);
	struct hp_err err;
	size_t len;

	if (!map || map->end.v - stop->place.sp.v > STACK_MAX)
		return (struct span){NULL, 0};
	len = (size_t)(map->end.v - stop->place.sp.v);
	if (target_read(&stage->target, stop->place.sp, stage->stack, len, &err) < 0)
		return (struct span){NULL, 0};
	return (struct span){stage->stack, len};
}

static struct frame_start start_of(const struct user_regs_struct *r, uint64_t until)
{
	return (struct frame_start){
		.rip = r->rip,
		.rsp = r->rsp,
		.rbp = r->rbp,
		.rbx = r->rbx,
		.r12 = r->r12,
		.r13 = r->r13,
		.r14 = r->r14,
		.r15 = r->r15,
		.rax = r->rax,
		.rcx = r->rcx,
		.rdx = r->rdx,
		.rsi = r->rsi,
		.rdi = r->rdi,
		.r8 = r->r8,
		.r9 = r->r9,
		.r10 = r->r10,
		.r11 = r->r11,
		.until = until,
	};
}

static void place_of(struct safepoint_stop *out, const struct user_regs_struct *r)
{
	*out = (struct safepoint_stop){
		.pc = {r->rip},
		.sp = {r->rsp},
		.syscall_nr = (long)r->orig_rax,
		.syscall_args = {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9},
	};
}

static void judge_held(struct stage *stage, struct stop *stop, struct frame_list *frames)
{
	int64_t began = clock_now_ns();
	struct frame_start start;
	struct hp_err err;

	safepoint_judge_stack(&stop->scanned, &stage->map, &stop->place, stack_of(stage, stop));
	stop->scan_ns = clock_now_ns() - began;
	stop->judged = stop->scanned;
	stop->walked = stop->scanned.verdict == VERDICT_UNKNOWN;
	if (!stop->walked)
		return;
	began = clock_now_ns();
	start = start_of(&stop->regs, stop->scanned.until);
	cr_assert(eq(int, unwinder_collect(frames, stage->unwinder, &start, &err), 0));
	stop->walk_ns = clock_now_ns() - began;
	safepoint_judge_frames(&stop->judged, &stage->map, &stop->place, frames);
}

static void judge_once(struct stage *stage, struct stop *stop, struct frame_list *frames)
{
	*stop = (struct stop){0};
	hold(stage->victim.tid);
	cr_assert(eq(int, (int)ptrace(PTRACE_GETREGS, stage->victim.tid, 0, &stop->regs), 0));
	place_of(&stop->place, &stop->regs);
	stop->inside = stage->victim.shared->inside;
	stop->over_libc = stage->victim.shared->over_libc;
	judge_held(stage, stop, frames);
	ptrace(PTRACE_DETACH, stage->victim.tid, 0, 0);
}

/* ---- parked ---- */

static struct frame_list frames;

static void check_parked(const struct body *body)
{
	struct stage stage;
	struct stop stop;
	struct hp_err err;

	stage_open(&stage, body);
	for (int i = 0; i < PARKED_STOPS; i++) {
		struct frame_start start;

		judge_once(&stage, &stop, &frames);
		cr_expect(eq(int, stop.judged.verdict, VERDICT_SAFE), "%s: %s", body->name,
			  stop.judged.reason);
		usleep(2000);
		if (on_musl) /* whose own bottom of the stack no table describes */
			continue;
		/* The victim sleeps on: its stack is still there. The whole of it. */
		start = start_of(&stop.regs, 0);
		cr_assert(eq(int, unwinder_collect(&frames, stage.unwinder, &start, &err), 0));
		cr_expect(frames.complete && frames.at_bottom, "%s: %zu frames", body->name,
			  frames.count);
		cr_expect(frames.count > 3, "%s", body->name);
		safepoint_judge_frames(&stop.judged, &stage.map, &stop.place, &frames);
		cr_expect(eq(int, stop.judged.verdict, VERDICT_SAFE), "%s, by its frames: %s",
			  body->name, stop.judged.reason);
	}
	stage_close(&stage);
}

static void check_all_parked(void)
{
	for (size_t i = 0; i < parked_body_count; i++)
		check_parked(&parked_bodies[i]);
}

Test(stops, parked_are_safe_at_once)
{
	if (WRAPPED)
		cr_skip_test("the sanitizer's library stands between the victims and libc");
	check_all_parked();
}

static void need_musl(void)
{
	victim_needs_musl();
	on_musl = true;
}

Test(stops, parked_are_safe_at_once_on_musl)
{
	need_musl();
	check_all_parked();
}

/* ---- active ---- */

static bool in_libc_or_loader(const struct stage *stage, uint64_t pc)
{
	const struct libc_info *libc = &stage->target.libc;

	return addr_in(addr_of(pc), libc->module->start, libc->module->end) ||
	       (libc->loader && addr_in(addr_of(pc), libc->loader->start, libc->loader->end));
}

/* What no judge may call safe, as the victim tells it. */
static bool is_forbidden(const struct stage *stage, const struct stop *stop)
{
	const bool waits = stop->place.syscall_nr == SYS_futex;

	if (stop->over_libc)
		return true;
	/* pthread_join() holds nothing while it waits. */
	return stop->inside && in_libc_or_loader(stage, stop->regs.rip) &&
	       !(stop->inside == INSIDE_JOIN && waits);
}

static int compare_ns(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static double median_us(int64_t *items, size_t count)
{
	if (!count)
		return 0;
	qsort(items, count, sizeof(items[0]), compare_ns);
	return (double)items[count / 2] / 1000;
}

struct figures {
	size_t safe, by_scan, inside, over_libc, incomplete, walks;
	int64_t scan_ns[ACTIVE_STOPS], walk_ns[ACTIVE_STOPS];
	char reason[160]; /* of the last unsafe one */
};

static void count_stop(struct figures *figures, const struct stop *stop, size_t i)
{
	figures->scan_ns[i] = stop->scan_ns;
	figures->inside += stop->inside != 0;
	figures->over_libc += stop->over_libc != 0;
	if (stop->walked) {
		figures->walk_ns[figures->walks++] = stop->walk_ns;
		figures->incomplete += !frames.complete;
	}
	if (stop->judged.verdict == VERDICT_SAFE) {
		figures->safe++;
		figures->by_scan += !stop->walked;
	} else {
		memcpy(figures->reason, stop->judged.reason, sizeof(figures->reason));
	}
}

/* Figures are for the log of the test, never judged: they depend on the machine. */
static void figures_print(struct figures *figures, const char *name)
{
	fprintf(stderr,
		"# %-24s safe %3zu/%d (%zu by scan), inside %zu, walks cut short %zu, "
		"scan %.1f us, walk %.1f us%s%s\n",
		name, figures->safe, ACTIVE_STOPS, figures->by_scan, figures->inside,
		figures->incomplete, median_us(figures->scan_ns, ACTIVE_STOPS),
		median_us(figures->walk_ns, figures->walks),
		figures->reason[0] ? ", unsafe: " : "", figures->reason);
}

static void stop_and_check(const struct stage *stage, struct stop *stop, const char *name)
{
	judge_once(stage, stop, &frames);
	cr_expect(not(is_forbidden(stage, stop) && stop->judged.verdict == VERDICT_SAFE),
		  "%s: called safe at libc+%#llx: %s", name,
		  stop->regs.rip - stage->target.libc.module->start.v, stop->judged.reason);
	usleep(200 + (unsigned)rand() % 800);
}

static bool is_about_handlers(const struct body *body)
{
	return strstr(body->name, "handler") != NULL;
}

static void check_active(const struct body *body, struct figures *figures)
{
	struct stage stage;
	struct stop stop;

	*figures = (struct figures){0};
	stage_open(&stage, body);
	for (size_t i = 0; i < ACTIVE_STOPS; i++) {
		stop_and_check(&stage, &stop, body->name);
		count_stop(figures, &stop, i);
	}
	/* On a loaded machine the handler may not have come over the allocator yet. */
	for (size_t i = 0; is_about_handlers(body) && !figures->over_libc && i < EXTRA_STOPS;
	     i++) {
		stop_and_check(&stage, &stop, body->name);
		figures->over_libc += stop.over_libc != 0;
	}
	cr_expect(stage.victim.shared->rounds > 0, "%s did not get on", body->name);
	figures_print(figures, body->name);
	stage_close(&stage);
}

/* No sanitizer has a hand in what is on musl. */
static bool is_wrapped(void)
{
	return WRAPPED && !on_musl;
}

/* In a function of musl's that is written in assembly: its symbol has no size. */
static bool is_unnamed(const struct body *body)
{
	return on_musl && strstr(body->name, "memcpy") != NULL;
}

static void check_all_active(void)
{
	static struct figures figures;

	for (size_t i = 0; i < active_body_count; i++) {
		check_active(&active_bodies[i], &figures);
		/* A judge that always says no is none. Under musl's one lock of the
		 * allocator nobody may ever be outside of it. */
		cr_expect(figures.safe > 0 || is_wrapped() || is_unnamed(&active_bodies[i]) ||
				  figures.inside == ACTIVE_STOPS,
			  "%s: %s", active_bodies[i].name, figures.reason);
		if (is_about_handlers(&active_bodies[i]))
			cr_expect(figures.over_libc > 0 || is_wrapped(),
				  "%s: the case did not occur", active_bodies[i].name);
	}
}

Test(stops, nothing_forbidden_is_called_safe)
{
	check_all_active();
}

Test(stops, nothing_forbidden_is_called_safe_on_musl)
{
	need_musl();
	check_all_active();
}

static void check_own_code(void)
{
	static const char *const names[] = {"spin", "spin (thread)", "memcpy of 4 MiB",
					    "recursion 3000 deep"};
	static struct figures figures;

	for (size_t i = 0; i < active_body_count; i++)
		for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++)
			if (strcmp(active_bodies[i].name, names[j]) == 0 &&
			    !is_unnamed(&active_bodies[i])) {
				check_active(&active_bodies[i], &figures);
				cr_expect(figures.safe == ACTIVE_STOPS || is_wrapped(),
					  "%s: %s", names[j], figures.reason);
			}
}

Test(stops, programs_own_code_is_safe)
{
	check_own_code();
}

Test(stops, programs_own_code_is_safe_on_musl)
{
	need_musl();
	check_own_code();
}
