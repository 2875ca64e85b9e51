/* SPDX-License-Identifier: MIT
 *
 * Chains of calls on real threads: they are made in order and without a stop, and what the
 * thread was doing goes on, exactly, whether we restore it, time out, or are killed in the
 * middle. And a thread that is made in this way.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/cleanup.h"
#include "inject/proc/procfs.h"
#include "inject/trace/spawn.h"
#include "tests/trace/bodies.h"
#include "tests/trace/churn.h"
#include "tests/trace/victim.h"

#define ERRNO_KEPT 4711 /* nobody sets it */
#define SECOND     1000000000

#ifdef __SANITIZE_ADDRESS__
#define WRAPPED true
#else
#define WRAPPED false
#endif

TestSuite(chain, .timeout = 120);

/* ---- victims ---- */

static void computes(struct victim_shared *shared)
{
	const uint64_t expected = churn(42);
	sigset_t blocked, now;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR2);
	pthread_sigmask(SIG_SETMASK, &blocked, NULL);
	errno = ERRNO_KEPT;
	victim_ready(shared);
	for (;;) {
		shared->wrong += churn(42) != expected;
		shared->wrong += errno != ERRNO_KEPT;
		pthread_sigmask(SIG_SETMASK, NULL, &now);
		shared->wrong += sigismember(&now, SIGUSR1) || !sigismember(&now, SIGUSR2);
		shared->rounds++;
	}
}

static void sleeps(struct victim_shared *shared)
{
	const struct timespec ts = {.tv_nsec = 300000000};

	victim_ready(shared);
	for (;;) {
		const int64_t began = clock_now_ns();
		const int r = clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);

		shared->wrong += r != 0 || clock_now_ns() - began < ts.tv_nsec;
		shared->rounds++;
	}
}

#define TILE_SIZE      1024
#define REQ_XCOMP_PERM 0x1023 /* ARCH_REQ_XCOMP_PERM, Linux 5.16 */
#define XFEATURE_TILE  18

/* Keeps a tile of AMX loaded: 8 KiB of vector state more, which the kernel gives a place only
 * to who has asked. */
static void has_tile(struct victim_shared *shared)
{
	static uint8_t from[TILE_SIZE], to[TILE_SIZE];
	static const struct {
		uint8_t palette, start, reserved[14];
		uint16_t width[16];
		uint8_t rows[16];
	} config = {.palette = 1, .width = {64}, .rows = {16}};

	for (size_t i = 0; i < TILE_SIZE; i++)
		from[i] = (uint8_t)(i * 7 + 1);
	__asm__ volatile("ldtilecfg %0; tileloadd (%1,%2,1), %%tmm0"
			 :
			 : "m"(config), "r"(from), "r"(64l));
	victim_ready(shared);
	for (;;) {
		__asm__ volatile("tilestored %%tmm0, (%0,%1,1)" ::"r"(to), "r"(64l) : "memory");
		shared->wrong += memcmp(from, to, TILE_SIZE) != 0;
		shared->rounds++;
	}
}

static int pipe_fds[2];

/* Its wait is restarted, and it never sees an errno. */
static void reads(struct victim_shared *shared)
{
	char byte;

	errno = ERRNO_KEPT;
	victim_ready(shared);
	for (;;) {
		shared->wrong += read(pipe_fds[0], &byte, 1) != 1 || errno != ERRNO_KEPT;
		shared->rounds++;
	}
}

static void blocks_all(struct victim_shared *shared)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	victim_ready(shared);
	for (;;)
		pause();
}

/* ---- what they are made to call ---- */

static void overwrite_registers(void)
{
	__asm__ volatile(
		"pcmpeqd %%xmm0, %%xmm0; pcmpeqd %%xmm7, %%xmm7; pcmpeqd %%xmm15, %%xmm15"
		:
		:
		: "xmm0", "xmm7", "xmm15");
	errno = EBADF;
}

static void append(volatile long long *number, long long digit, uint64_t *done)
{
	*number = *number * 10 + digit;
	*done += 1;
	overwrite_registers();
}

static void block(void)
{
	overwrite_registers();
	for (;;)
		pause();
}

/* ---- the stage ---- */

struct stage {
	struct victim victim;
	struct target target;
	struct chains chains;
	struct tracee tracee;
};

static void stage_open(struct stage *stage, victim_body body, bool on_thread)
{
	cr_assert(eq(int, pipe(pipe_fds), 0));
	if (WRAPPED)
		cr_skip_test("the sanitizer's library stands between the victims and libc");
	victim_spawn(&stage->victim, body, on_thread);
	victim_describe(&stage->target, &stage->victim);
	chains_find(&stage->chains, &stage->target);
	cr_assert(stage->chains.are_possible);
}

static void stage_close(struct stage *stage)
{
	target_fini(&stage->target);
	victim_end(&stage->victim);
}

static void hijack(struct stage *stage)
{
	struct hp_err err = {0};

	cr_assert(eq(int,
		     tracee_stop(&stage->tracee, &stage->target, stage->victim.tid,
				 deadline_after_ns(5ll * SECOND), &err),
		     TRACEE_OK),
		  "%s", err.text);
	cr_assert(eq(int, tracee_hijack(&stage->tracee, TRACEE_ROOM, &err), 0), "%s", err.text);
}

static void release(struct stage *stage)
{
	struct hp_err err;

	cr_assert(eq(int, tracee_release(&stage->tracee, &err), 0), "%s", err.text);
}

static void expect_rounds(struct stage *stage, uint64_t rounds)
{
	volatile struct victim_shared *shared = stage->victim.shared;

	for (int i = 0; i < 5000 && shared->rounds < rounds; i++)
		usleep(1000);
	cr_assert(le(u64, rounds, shared->rounds), "the victim does not go on");
	cr_assert(eq(u64, shared->wrong, 0));
}

static void expect_goes_on(struct stage *stage, uint64_t rounds)
{
	expect_rounds(stage, stage->victim.shared->rounds + rounds);
}

static struct arch_step step(void (*function)(void))
{
	return (struct arch_step){.pc = addr_of((uintptr_t)function)};
}

static int run(struct stage *stage, struct chain *chain, int64_t patience_ns,
	       struct hp_err *err)
{
	return chain_run(&stage->tracee, &stage->chains, chain, deadline_after_ns(patience_ns),
			 err);
}

static int append_digits(struct stage *stage, struct chain *chain, struct hp_err *err)
{
	const uintptr_t called = (uintptr_t)&stage->victim.shared->self->called;

	*chain = (struct chain){.count = CHAIN_STEPS};
	for (uint64_t i = 0; i < CHAIN_STEPS; i++) {
		chain->steps[i] = step((void (*)(void))append);
		chain->steps[i].args[0] = called;
		chain->steps[i].args[1] = i + 1;
		chain->steps[i].args[2] = chain_data(&stage->tracee).v + 5 * sizeof(uint64_t);
	}
	return run(stage, chain, 5ll * SECOND, err);
}

/* ---- the tests ---- */

static void check_calls(bool on_thread)
{
	struct hp_err err = {0};
	struct chain chain;
	struct stage stage;
	int late = 0;

	stage_open(&stage, computes, on_thread);
	for (int i = 0; i < 200; i++) {
		stage.victim.shared->called = 0;
		hijack(&stage);
		cr_assert(eq(int, append_digits(&stage, &chain, &err), CHAIN_DONE), "%s",
			  err.text);
		cr_assert(eq(i64, stage.victim.shared->called, 1234));
		cr_assert(eq(u64, chain.data[5], CHAIN_STEPS));
		late += !stage.tracee.hijacked;
		release(&stage);
	}
	cr_expect(lt(int, late, 20), "it is not put back, but left to the end of its wait");
	expect_goes_on(&stage, 10);
	stage_close(&stage);
}

Test(chain, tiles_are_not_lost)
{
	const uint64_t args[6] = {0};
	struct hp_err err = {0};
	struct chain chain;
	struct stage stage;
	int64_t pid;

	if (syscall(SYS_arch_prctl, REQ_XCOMP_PERM, XFEATURE_TILE) != 0)
		cr_skip_test("no AMX on this machine");
	stage_open(&stage, has_tile, false);
	for (int i = 0; i < 20; i++) {
		hijack(&stage);
		cr_assert(lt(sz, 8192, stage.tracee.xstate_len));
		if (i % 2 == 0) {
			cr_assert(eq(int, append_digits(&stage, &chain, &err), CHAIN_DONE));
		} else {
			cr_assert(eq(int,
				     tracee_syscall(&pid, &stage.tracee, SYS_getpid, args,
						    deadline_after_ns(SECOND), &err),
				     0));
		}
		if (i % 4 < 2)
			release(&stage);
		else
			tracee_abandon(&stage.tracee); /* by its frame */
		expect_goes_on(&stage, 10);
	}
	stage_close(&stage);
}

Test(chain, calls_are_made_in_order_and_nothing_is_lost)
{
	check_calls(false);
	check_calls(true);
}

Test(chain, a_call_that_blocks_is_taken_back)
{
	struct chain chain = {.steps = {step(overwrite_registers), step(block)}, .count = 2};
	struct hp_err err = {0};
	struct stage stage;

	stage_open(&stage, computes, false);
	for (int i = 0; i < 5; i++) {
		hijack(&stage);
		cr_assert(eq(int, run(&stage, &chain, 30000000, &err), -1));
		cr_assert(eq(int, err.kind, HP_TIMEOUT), "%s", err.text);
		cr_assert(stage.tracee.hijacked);
		release(&stage);
	}
	expect_goes_on(&stage, 10);
	stage_close(&stage);
}

Test(chain, without_room_nothing_is_done)
{
	struct chain chain = {.steps = {step(block)}, .count = 1};
	struct hp_err err = {0};
	struct stage stage;
	remote_addr frame;

	stage_open(&stage, computes, false);
	hijack(&stage);
	frame = stage.tracee.frame;
	stage.tracee.frame = addr_of(0x10008); /* where nothing is mapped */
	cr_assert(eq(int, run(&stage, &chain, SECOND, &err), CHAIN_NOT));
	stage.tracee.frame = frame;
	cr_assert(not(stage.tracee.hijacked));
	release(&stage);
	expect_goes_on(&stage, 10);
	stage_close(&stage);
}

static void check_is_exact(victim_body body, bool is_exact)
{
	struct stage stage;

	stage_open(&stage, body, false);
	hijack(&stage);
	cr_assert(eq(int, chain_is_exact(&stage.tracee), is_exact));
	release(&stage);
	stage_close(&stage);
}

Test(chain, who_can_be_put_back_exactly)
{
	check_is_exact(computes, true);
	check_is_exact(reads, true);
	check_is_exact(sleeps, false);
	check_is_exact(blocks_all, false);
}

static void chain_for_ever(struct stage *stage)
{
	struct hp_err err = {0};
	struct chain chain;

	for (;;) {
		hijack(stage);
		if (append_digits(stage, &chain, &err) < 0)
			_exit(1);
		release(stage);
	}
}

/* Wherever in the chain it is then, the victim goes through the rest by itself. */
Test(chain, the_victim_survives_the_death_of_its_tracer)
{
	struct stage stage;

	stage_open(&stage, computes, false);
	srand(11);
	for (int i = 0; i < 200; i++) {
		pid_t tracer = fork();
		int status;

		if (tracer == 0)
			chain_for_ever(&stage);
		usleep((useconds_t)(200 + rand() % 3000));
		kill(tracer, SIGKILL);
		waitpid(tracer, &status, 0);
		cr_assert(eq(int, WIFSIGNALED(status) ? 1 : 0, 1),
			  "the tracer failed, round %d", i);
		cr_assert(eq(int, waitpid(stage.victim.pid, &status, WNOHANG), 0),
			  "victim died, round %d", i);
	}
	expect_goes_on(&stage, 10);
	stage_close(&stage);
}

/* ---- a thread of ours ---- */

static size_t count_threads(const struct stage *stage)
{
	_cleanup_free_ pid_t *tids = NULL;
	struct hp_err err;
	size_t count;

	cr_assert(eq(int, proc_threads(&tids, &count, stage->target.procfd, &err), 0));
	return count;
}

static void expect_not_made(struct stage *stage, const struct spawn *spawn)
{
	struct hp_err err = {0};
	uint64_t thread = 0;

	hijack(stage);
	cr_assert(eq(int,
		     spawn_thread(&thread, &stage->tracee, spawn, &stage->chains,
				  deadline_after_ns(SECOND), &err),
		     SPAWN_NOT));
	release(stage);
}

static void check_spawn(victim_body body)
{
	struct spawn spawn;
	struct hp_err err = {0};
	struct stage stage;
	uint64_t thread = 0, rounds;
	size_t threads;

	stage_open(&stage, body, true);
	threads = count_threads(&stage);
	spawn_find(&spawn, &stage.target);
	cr_assert(spawn.is_possible);
	hijack(&stage);
	cr_assert(eq(int,
		     spawn_thread(&thread, &stage.tracee, &spawn, &stage.chains,
				  deadline_after_ns(5ll * SECOND), &err),
		     SPAWN_MADE),
		  "%s", err.text);
	cr_expect(eq(sz, count_threads(&stage), threads + 1));
	cr_expect(not(spawn_is_it(&stage.tracee, thread)));
	release(&stage);
	rounds = stage.victim.shared->rounds;
	cr_assert(eq(int, (int)write(pipe_fds[1], "x", 1), 1));
	expect_rounds(&stage, rounds + 1);
	for (int i = 0; i < 5000 && count_threads(&stage) > threads; i++)
		usleep(1000);
	cr_expect(eq(sz, count_threads(&stage), threads), "it does not end by itself");
	stage_close(&stage);
}

Test(chain, a_thread_is_made_and_ends_by_itself)
{
	check_spawn(computes);
	check_spawn(reads);
}

/* That one is free for other calls, and sleeps as long as it would have. */
Test(chain, a_thread_is_not_made_by_one_that_sleeps)
{
	struct spawn spawn;
	struct stage stage;

	stage_open(&stage, sleeps, false);
	spawn_find(&spawn, &stage.target);
	for (int i = 0; i < 8; i++) {
		usleep(70000);
		expect_not_made(&stage, &spawn);
	}
	expect_goes_on(&stage, 1);
	stage_close(&stage);
}

/* Its maker is put back from the middle of pthread_create(), as it seems. */
Test(chain, a_thread_that_cannot_be_made_in_time)
{
	struct hp_err err = {0};
	struct spawn spawn;
	struct stage stage;
	uint64_t thread = 0;

	stage_open(&stage, computes, false);
	spawn_find(&spawn, &stage.target);
	spawn.create = step(block).pc;
	hijack(&stage);
	cr_assert(eq(int,
		     spawn_thread(&thread, &stage.tracee, &spawn, &stage.chains,
				  deadline_after_ns(30000000), &err),
		     -1));
	cr_assert(eq(int, err.kind, HP_TIMEOUT));
	release(&stage);
	expect_goes_on(&stage, 10);

	/* One that fails at once leaves the thread free for other calls. */
	spawn.create = step(overwrite_registers).pc;
	expect_not_made(&stage, &spawn);
	expect_goes_on(&stage, 10);
	stage_close(&stage);
}
