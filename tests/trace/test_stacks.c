/* SPDX-License-Identifier: MIT
 *
 * Threads that are near the end of their stacks are left alone, and go on; those whose stacks
 * can grow are not.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/deadline.h"
#include "inject/trace/tracee.h"
#include "tests/trace/victim.h"

#define LEFT       (12u << 10) /* less than TRACEE_ROOM */
#define STACK_SIZE (64u << 10)
#define DEEP       (512u << 10) /* deeper than anybody was */
#define EDGE       1024u

TestSuite(stacks, .timeout = 60);

/* Down to where the stack is only LEFT bytes above `end`, and round and round there. */
static __attribute__((noinline)) void go_down(struct victim_shared *shared, uintptr_t end)
{
	const uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	volatile char *below = here > end + LEFT ? __builtin_alloca(here - end - LEFT) : NULL;

	if (below)
		below[0] = 0;
	victim_ready(shared);
	while (!shared->over_libc) { /* for ever */
		shared->rounds++;
		usleep(1000);
	}
}

struct small {
	struct victim_shared *shared;
	char *stack;
};

static void *run_small(void *arg)
{
	const struct small *small = arg;

	go_down(small->shared, (uintptr_t)small->stack);
	return NULL;
}

static void small_stack(struct victim_shared *shared)
{
	char *both = mmap(NULL, 2 * STACK_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct small small = {shared, both + STACK_SIZE};
	pthread_attr_t attr;
	pthread_t thread;

	mprotect(both, STACK_SIZE, PROT_NONE);
	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, small.stack, STACK_SIZE);
	pthread_create(&thread, &attr, run_small, &small);
	pthread_join(thread, NULL);
}

static void limited_stack(struct victim_shared *shared)
{
	const struct rlimit limit = {1 << 20, 1 << 20};
	uintptr_t end = 0, from, to;
	char line[256];
	FILE *maps = fopen("/proc/self/maps", "re");

	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "[stack]") && sscanf(line, "%lx-%lx", &from, &to) == 2)
			end = to;
	setrlimit(RLIMIT_STACK, &limit);
	go_down(shared, end - limit.rlim_cur);
}

/* The kernel has mapped what was touched, and no more: to the end of that page. */
static __attribute__((noinline)) void deepest_stack(struct victim_shared *shared)
{
	const uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	const uintptr_t deep = ((here - DEEP) & ~(uintptr_t)4095) + EDGE;
	volatile char *below = __builtin_alloca(here - deep);

	below[0] = 0;
	victim_ready(shared);
	for (;;) {
		shared->wrong += below[0] != 0;
		shared->rounds++;
		syscall(SYS_nanosleep, &(struct timespec){.tv_nsec = 1000000}, NULL);
	}
}

static void expect_goes_on(const struct victim *victim)
{
	const uint64_t rounds = victim->shared->rounds;

	usleep(50000);
	cr_assert(lt(u64, rounds, victim->shared->rounds), "it does not go on");
}

Test(stacks, one_that_has_to_grow)
{
	const struct deadline deadline = deadline_after_ns(5000000000);
	const uint64_t args[6] = {0};
	struct victim victim;
	struct target target;
	struct tracee tracee;
	struct hp_err err;
	int64_t pid;

	victim_spawn(&victim, deepest_stack, false);
	victim_describe(&target, &victim);
	cr_assert(
		eq(int, tracee_stop(&tracee, &target, victim.tid, deadline, &err), TRACEE_OK));
	cr_assert(eq(int, tracee_hijack(&tracee, TRACEE_ROOM, &err), 0), "%s", err.text);
	cr_assert(eq(int, tracee_syscall(&pid, &tracee, SYS_getpid, args, deadline, &err), 0));
	cr_expect(eq(i64, pid, victim.pid));
	cr_assert(eq(int, tracee_release(&tracee, &err), 0), "%s", err.text);
	expect_goes_on(&victim);
	cr_expect(eq(u64, victim.shared->wrong, 0));
	target_fini(&target);
	victim_end(&victim);
}

static void expect_left_alone(victim_body body)
{
	struct deadline deadline = deadline_after_ns(5000000000);
	struct victim victim;
	struct target target;
	struct tracee tracee;
	struct hp_err err;

	victim_spawn(&victim, body, false);
	victim_describe(&target, &victim);
	cr_assert(
		eq(int, tracee_stop(&tracee, &target, victim.tid, deadline, &err), TRACEE_OK));
	cr_assert(eq(int, tracee_hijack(&tracee, TRACEE_ROOM, &err), -1));
	cr_assert(eq(int, err.kind, HP_NO_SAFE_POINT), "%s", err.text);
	cr_assert(eq(int, tracee_release(&tracee, &err), 0), "%s", err.text);
	expect_goes_on(&victim);
	target_fini(&target);
	victim_end(&victim);
}

Test(stacks, a_small_one)
{
	expect_left_alone(small_stack);
}

Test(stacks, one_near_its_limit)
{
	expect_left_alone(limited_stack);
}
