/* SPDX-License-Identifier: MIT
 *
 * See spawn.h.
 */
#include "inject/trace/spawn.h"

#include <sys/syscall.h>

#define STACK_SIZE (8ul << 20) /* musl's default of 128 KiB is too small for compiling */
#define DETACHED   1           /* PTHREAD_CREATE_DETACHED: 1 in glibc and musl */
#define SLEEP_US   100000

/* How far below a thread's own data its stack pointer is while it sleeps; glibc and musl have
 * those at the top of the stack, together with the program's thread-local variables. */
#define STACK_USED (1u << 20)

/* In the chain's data. pthread_attr_t is 56 bytes in both. */
enum { ATTR = 0, THREAD = 8 };

static bool find_functions(struct spawn *out, const struct target *target)
{
	const struct {
		const char *name;
		remote_addr *at;
	} functions[] = {
		{"pthread_attr_init", &out->attr_init},
		{"pthread_attr_setdetachstate", &out->set_detached},
		{"pthread_attr_setstacksize", &out->set_stack_size},
		{"pthread_create", &out->create},
	};

	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
		*functions[i].at = target_symbol(target, functions[i].name);
		if (addr_is_null(*functions[i].at))
			return false;
	}
	out->sleep = target_libc_symbol(target, "usleep");
	return !addr_is_null(out->sleep);
}

void spawn_find(struct spawn *out, const struct target *target)
{
	*out = (struct spawn){0};
	out->is_possible = find_functions(out, target);
}

int spawn_thread(uint64_t *thread, struct tracee *tracee, const struct spawn *spawn,
		 const struct chains *chains, struct deadline deadline, struct hp_err *err)
{
	const remote_addr data = chain_data(tracee);
	const uint64_t attr = data.v + ATTR * sizeof(uint64_t);
	struct chain chain = {
		.steps = {{spawn->attr_init, 0, {attr}},
			  {spawn->set_detached, 0, {attr, DETACHED}},
			  {spawn->set_stack_size, 0, {attr, STACK_SIZE}},
			  {spawn->create,
			   0,
			   {data.v + THREAD * sizeof(uint64_t), attr, spawn->sleep.v,
			    SLEEP_US}}},
		.count = 4,
	};
	int r;

	if (!spawn->is_possible || !chain_is_exact(tracee))
		return SPAWN_NOT;
	r = chain_run(tracee, chains, &chain, deadline, err);
	if (r != CHAIN_DONE)
		return r == CHAIN_NOT ? SPAWN_NOT : -1;
	*thread = chain.data[THREAD];
	if (*thread)
		return SPAWN_MADE;
	if (tracee->hijacked)
		return SPAWN_NOT;
	return hp_err_set(err, HP_TIMEOUT, 0, "thread %d could not make another", tracee->tid);
}

/* ---- the new thread ---- */

static bool sleeps(long nr)
{
	return nr == SYS_clock_nanosleep || nr == SYS_nanosleep;
}

bool spawn_has_stack(remote_addr sp, uint64_t thread)
{
	return sp.v < thread && thread - sp.v < STACK_USED;
}

bool spawn_may_be_it(long nr, remote_addr sp, uint64_t thread)
{
	return sleeps(nr) && spawn_has_stack(sp, thread);
}

bool spawn_is_it(const struct tracee *tracee, uint64_t thread)
{
	return sleeps(arch_syscall(&tracee->regs, NULL)) &&
	       arch_thread_pointer(&tracee->regs) == thread;
}
