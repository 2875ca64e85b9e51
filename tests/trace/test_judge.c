/* SPDX-License-Identifier: MIT
 *
 * Judging before the stop: what was found out about a thread that waits holds while it stands
 * where it stood, with the stack it had, and not a moment longer.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/cleanup.h"
#include "inject/session/judge.h"
#include "inject/session/threads.h"
#include "tests/trace/bodies.h"
#include "tests/trace/victim.h"

#define STOPS 60

#ifdef __SANITIZE_ADDRESS__
#define WRAPPED true
#else
#define WRAPPED false
#endif

TestSuite(judge, .timeout = 120);

struct stage {
	struct victim victim;
	struct target target;
	struct judge judge;
};

static void stage_open(struct stage *stage, const struct body *body)
{
	struct hp_err err;

	victim_spawn(&stage->victim, body->run, body->on_thread);
	victim_describe(&stage->target, &stage->victim);
	cr_assert(eq(int, judge_init(&stage->judge, &stage->target, &err), 0), "%s", err.text);
}

static void stage_close(struct stage *stage)
{
	judge_fini(&stage->judge);
	target_fini(&stage->target);
	victim_end(&stage->victim);
}

static void expect(struct stage *stage)
{
	_cleanup_free_ struct thread *threads = NULL;
	struct hp_err err;
	size_t count, i = 0;

	cr_assert(eq(int, threads_ranked(&threads, &count, &stage->target, &err), 0));
	while (i < count && threads[i].tid != stage->victim.tid)
		i++;
	cr_assert(lt(sz, i, count));
	cr_assert(eq(int, judge_expect(&stage->judge, &threads[i].place, &err), 0), "%s",
		  err.text);
}

/* It takes its time to get there on a loaded machine. */
static void expect_waiting(struct stage *stage, const struct body *body)
{
	for (int i = 0; i < 5000 && !stage->judge.expected_stack.len; i++) {
		usleep(1000);
		expect(stage);
	}
	cr_assert(lt(sz, 0, stage->judge.expected_stack.len), "%s", body->name);
}

static void stop(struct stage *stage, struct tracee *tracee, struct safepoint *out)
{
	struct hp_err err = {0};

	cr_assert(eq(int,
		     tracee_stop(tracee, &stage->target, stage->victim.tid,
				 deadline_after_ns(5000000000), &err),
		     TRACEE_OK),
		  "%s", err.text);
	cr_assert(eq(int, judge_thread(out, &stage->judge, tracee, &err), 0), "%s", err.text);
}

static void release(struct tracee *tracee)
{
	struct hp_err err;

	cr_assert(eq(int, tracee_release(tracee, &err), 0), "%s", err.text);
}

static void check_parked(const struct body *body)
{
	struct safepoint safepoint;
	struct tracee tracee;
	struct stage stage;

	stage_open(&stage, body);
	expect_waiting(&stage, body);
	stop(&stage, &tracee, &safepoint);
	cr_expect(eq(int, safepoint.verdict, VERDICT_SAFE), "%s: %s", body->name,
		  safepoint.reason);
	/* select() writes the time that was left to the stack when it is interrupted. */
	if (!strstr(body->name, "select"))
		cr_expect(eq(str, safepoint.reason, "as expected"), "%s", body->name);
	release(&tracee);

	/* One byte of another stack: it is judged anew, by what is there. */
	stage.judge.expected_stack.len = 0;
	expect_waiting(&stage, body);
	stage.judge.expected_stack.bytes[stage.judge.expected_stack.len - 1] ^= 1;
	stop(&stage, &tracee, &safepoint);
	cr_expect(eq(int, safepoint.verdict, VERDICT_SAFE), "%s: %s", body->name,
		  safepoint.reason);
	cr_expect(ne(str, safepoint.reason, "as expected"), "%s", body->name);
	release(&tracee);
	stage_close(&stage);
}

Test(judge, who_waits_is_as_expected)
{
	if (WRAPPED)
		cr_skip_test("the sanitizer's library stands between the victims and libc");
	for (size_t i = 0; i < parked_body_count; i++)
		check_parked(&parked_bodies[i]);
}

#define INTO(function) ((uintptr_t)(function) + 1)

static void check_left_behind(const struct safepoint_map *map, long nr, uintptr_t word,
			      enum verdict verdict)
{
	const uint64_t stack[2] = {0, word};
	const struct safepoint_stop stop = {
		.pc = {INTO(read)}, .sp = {0x7000}, .syscall_nr = nr};
	struct safepoint got;

	safepoint_judge_stack(&got, map, &stop,
			      (struct span){(const uint8_t *)stack, sizeof(stack)});
	cr_expect(eq(int, got.verdict, verdict), "call %ld: %s", nr, got.reason);
}

/* The victim has its libc where we have ours. */
Test(judge, what_the_allocator_left_behind)
{
	const struct safepoint_map *map;
	struct stage stage;

	if (WRAPPED)
		cr_skip_test("the sanitizer's library stands between the victims and libc");
	stage_open(&stage, &parked_bodies[0]);
	map = &stage.judge.map;
	check_left_behind(map, SYS_read, INTO(malloc), VERDICT_SAFE);
	check_left_behind(map, SYS_poll, INTO(free), VERDICT_SAFE);
	check_left_behind(map, SYS_write, INTO(malloc), VERDICT_UNKNOWN);
	check_left_behind(map, SYS_getpid, INTO(malloc), VERDICT_UNKNOWN);
	check_left_behind(map, SYS_read, INTO(malloc_stats), VERDICT_UNKNOWN);
	check_left_behind(map, SYS_read, INTO(fork), VERDICT_UNKNOWN);
	check_left_behind(map, SYS_read, INTO(pthread_create), VERDICT_UNKNOWN);
	stage_close(&stage);
}

static bool is_forbidden(const struct stage *stage, const struct tracee *tracee)
{
	const struct victim_shared *shared = stage->victim.shared;
	const struct libc_info *libc = &stage->target.libc;
	const remote_addr pc = arch_pc(&tracee->regs);

	return shared->over_libc || (shared->inside && shared->inside != INSIDE_JOIN &&
				     (addr_in(pc, libc->module->start, libc->module->end) ||
				      addr_in(pc, libc->loader->start, libc->loader->end)));
}

Test(judge, who_moves_is_not)
{
	for (size_t i = 0; i < active_body_count; i++) {
		struct safepoint safepoint;
		struct tracee tracee;
		struct stage stage;

		stage_open(&stage, &active_bodies[i]);
		for (unsigned n = 0; n < STOPS; n++) {
			expect(&stage);
			stop(&stage, &tracee, &safepoint);
			cr_expect(not(safepoint.verdict == VERDICT_SAFE &&
				      is_forbidden(&stage, &tracee)),
				  "%s: %s", active_bodies[i].name, safepoint.reason);
			release(&tracee);
			usleep(200 + (unsigned)rand() % 500);
		}
		stage_close(&stage);
	}
}
