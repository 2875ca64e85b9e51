/* SPDX-License-Identifier: MIT
 *
 * Victims that run. See bodies.h.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include "tests/trace/bodies.h"
#include "tests/trace/churn.h"

/* Keeps the compiler from taking a pair of malloc and free, or a tail, away. */
#define KEEP(p) __asm__ volatile("" : : "r"(p) : "memory")

static void spin(struct victim_shared *shared)
{
	victim_ready(shared);
	for (;;)
		shared->rounds++;
}

/* Where a stop is safe. */
static void own_work(int rounds)
{
	for (volatile int i = 0; i < rounds; i++)
		;
}

static void storm_malloc(struct victim_shared *shared)
{
	void *items[64] = {0};
	unsigned seed = 1;

	victim_ready(shared);
	for (;;) {
		const size_t i = (seed = seed * 1103515245 + 12345) / 65536 % 64;
		const size_t size = (size_t)1 << (seed / 4194304 % 18);

		shared->inside = 1;
		items[i] = realloc(items[i], size);
		shared->inside = 0;
		KEEP(items[i]);
		shared->inside = 1;
		free(items[(i + 7) % 64]);
		shared->inside = 0;
		items[(i + 7) % 64] = NULL;
		own_work(100);
		/* Not calloc: it ends with a jump to memset, which is as safe as any. */
		shared->inside = 1;
		items[(i + 7) % 64] = aligned_alloc(64, (size / 2 + 64) & ~63ul);
		shared->inside = 0;
		shared->rounds++;
	}
}

static void *storm_unseen(void *arg)
{
	static struct victim_shared unseen[4];

	(void)arg;
	storm_malloc(&unseen[0]);
	return NULL;
}

static void storm_malloc_many(struct victim_shared *shared)
{
	pthread_t thread;

	for (int i = 0; i < 3; i++)
		pthread_create(&thread, NULL, storm_unseen, NULL);
	storm_malloc(shared);
}

static void storm_dlopen(struct victim_shared *shared)
{
	const char *library = getenv("VICTIM_LIBRARY");

	if (!library)
		library = "libanl.so.1";
	victim_ready(shared);
	for (;;) {
		void *handle;

		shared->inside = 1;
		handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
		shared->inside = 0;
		KEEP(handle);
		shared->inside = 1;
		if (handle)
			dlclose(handle);
		shared->inside = 0;
		own_work(400000);
		shared->rounds += handle != NULL;
	}
}

static void *nothing(void *arg)
{
	return arg;
}

static void storm_threads(struct victim_shared *shared)
{
	victim_ready(shared);
	for (;;) {
		pthread_t thread;
		int failed;

		shared->inside = 1;
		failed = pthread_create(&thread, NULL, nothing, NULL);
		shared->inside = 0;
		KEEP(failed);
		shared->inside = INSIDE_JOIN;
		if (!failed)
			pthread_join(thread, NULL);
		shared->inside = 0;
		own_work(2000);
		shared->rounds++;
	}
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int turn;

static void take_turns(struct victim_shared *shared, int mine)
{
	for (;;) {
		pthread_mutex_lock(&mutex);
		while (turn != mine)
			pthread_cond_wait(&cond, &mutex);
		turn = !mine;
		pthread_cond_signal(&cond);
		pthread_mutex_unlock(&mutex);
		shared->rounds++;
	}
}

static void *turns_other(void *arg)
{
	take_turns(arg, 1);
	return NULL;
}

static void storm_cond(struct victim_shared *shared)
{
	pthread_t thread;

	pthread_create(&thread, NULL, turns_other, shared);
	victim_ready(shared);
	take_turns(shared, 0);
}

static void copy_much(struct victim_shared *shared)
{
	const size_t len = 4u << 20;
	char *from =
		mmap(NULL, 2 * len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	victim_ready(shared);
	for (;;) {
		memcpy(from + len, from, len);
		KEEP(from);
		shared->rounds++;
	}
}

static __attribute__((noinline)) void recurse(struct victim_shared *shared, int depth)
{
	if (depth > 0)
		recurse(shared, depth - 1);
	while (depth == 0)
		shared->rounds++;
	KEEP(shared);
}

static void recurse_deep(struct victim_shared *shared)
{
	victim_ready(shared);
	recurse(shared, 3000);
}

/* ---- handlers that run while the allocator holds its locks ---- */

static struct victim_shared *handler_shared;

static void on_tick(int signal, siginfo_t *info, void *context)
{
	const ucontext_t *interrupted = context;
	const uint64_t pc = (uint64_t)interrupted->uc_mcontext.gregs[REG_RIP];

	(void)signal;
	(void)info;
	handler_shared->over_libc = handler_shared->inside &&
				    pc >= handler_shared->libc_start &&
				    pc < handler_shared->libc_end;
	for (volatile int i = 0; i < 200000; i++)
		;
	handler_shared->over_libc = 0;
}

static void interrupt_storm(struct victim_shared *shared, int flags)
{
	const struct itimerval often = {{0, 3000}, {0, 3000}};
	const struct sigaction action = {.sa_sigaction = on_tick,
					 .sa_flags = SA_SIGINFO | SA_RESTART | flags};
	static char own_stack[65536];
	const stack_t stack = {.ss_sp = own_stack, .ss_size = sizeof(own_stack)};

	handler_shared = shared;
	sigaltstack(&stack, NULL);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	storm_malloc(shared);
}

static void handler_over_malloc(struct victim_shared *shared)
{
	interrupt_storm(shared, 0);
}

static void handler_on_its_stack(struct victim_shared *shared)
{
	interrupt_storm(shared, SA_ONSTACK);
}

/* ---- results that live in registers, and a handler that must find its stack ---- */

static char churn_stack[65536];
static volatile sig_atomic_t astray;

static void on_own_stack(int signal)
{
	const char *here = __builtin_frame_address(0);

	(void)signal;
	astray += here < churn_stack || here >= churn_stack + sizeof(churn_stack);
}

static void churn_under_signals(struct victim_shared *shared)
{
	const struct sigaction action = {.sa_handler = on_own_stack,
					 .sa_flags = SA_ONSTACK | SA_RESTART};
	const stack_t stack = {.ss_sp = churn_stack, .ss_size = sizeof(churn_stack)};
	const struct itimerval often = {{0, 500}, {0, 500}};
	const uint64_t expected = churn(42);
	sigset_t blocked, now;

	sigaltstack(&stack, NULL);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR2);
	sigprocmask(SIG_SETMASK, &blocked, NULL);
	victim_ready(shared);
	for (;;) {
		sigprocmask(SIG_SETMASK, NULL, &now);
		shared->wrong += churn(42) != expected || astray != 0 ||
				 memcmp(&now, &blocked, sizeof(unsigned long)) != 0;
		shared->rounds++;
	}
}

const struct body active_bodies[] = {
	{"spin", spin, false},
	{"spin (thread)", spin, true},
	{"malloc", storm_malloc, false},
	{"malloc (thread)", storm_malloc, true},
	{"malloc, four threads", storm_malloc_many, true},
	{"dlopen", storm_dlopen, false},
	{"pthread_create", storm_threads, false},
	{"pthread_create (thread)", storm_threads, true},
	{"mutex and cond", storm_cond, false},
	{"memcpy of 4 MiB", copy_much, false},
	{"recursion 3000 deep", recurse_deep, false},
	{"handler over malloc", handler_over_malloc, false},
	{"handler on its own stack", handler_on_its_stack, false},
	{"churn under signals", churn_under_signals, false},
};
const size_t active_body_count = sizeof(active_bodies) / sizeof(active_bodies[0]);
