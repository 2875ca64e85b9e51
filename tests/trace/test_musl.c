/* SPDX-License-Identifier: MIT
 *
 * The hijack on threads of a program that is linked with musl, by what is found in its libc.
 */
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/deadline.h"
#include "inject/trace/tracee.h"
#include "tests/trace/victim.h"

#define TIMES 100

TestSuite(musl, .timeout = 60);

static struct victim victim;
static struct target target;
static struct tracee tracee;
static struct hp_err err;

static struct deadline soon(void)
{
	return deadline_after_ns(5000000000);
}

static void start(const char *body)
{
	victim_needs_musl();
	victim_spawn_on_musl(&victim, body);
	victim_describe(&target, &victim);
	cr_assert(eq(int, target.libc.flavour, LIBC_MUSL));
}

static void hijack(void)
{
	cr_assert(eq(int, tracee_stop(&tracee, &target, victim.tid, soon(), &err), TRACEE_OK),
		  "%s", err.text);
	cr_assert(eq(int, tracee_hijack(&tracee, TRACEE_ROOM, &err), 0), "%s", err.text);
}

static void let_go(void)
{
	cr_assert(eq(int, tracee_release(&tracee, &err), 0), "%s", err.text);
}

/* Stop it when it has left the function, which is a short one. */
static void fetch(remote_addr function)
{
	enum tracee_place place;

	for (;;) {
		cr_assert(eq(int, tracee_take_back(&tracee, &err), 0), "%s", err.text);
		cr_assert(eq(int,
			     tracee_locate(&place, &tracee, function, addr_add(function, 64),
					   &err),
			     0),
			  "%s", err.text);
		if (place != TRACEE_IN_CALL)
			return;
		cr_assert(eq(int, tracee_go_on(&tracee, &err), 0), "%s", err.text);
	}
}

/* What it computes is right, its signal mask and alternate stack are as it made them. */
static void expect_unharmed(void)
{
	const uint64_t rounds = victim.shared->rounds;

	for (int i = 0; i < 1000 && victim.shared->rounds < rounds + 3; i++)
		usleep(5000);
	cr_assert(lt(u64, rounds + 2, victim.shared->rounds), "it does not go on");
	cr_assert(eq(u64, victim.shared->wrong, 0));
	target_fini(&target);
	victim_end(&victim);
}

Test(musl, registers_mask_and_alternate_stack_are_as_before_under_signals)
{
	const uint64_t none[6] = {0};
	int64_t result = -1;

	start("churn under signals");
	for (int i = 0; i < TIMES; i++) {
		hijack();
		cr_assert(eq(int,
			     tracee_syscall(&result, &tracee, SYS_getpid, none, soon(), &err),
			     0),
			  "%s", err.text);
		cr_assert(eq(i64, result, victim.pid));
		let_go();
	}
	expect_unharmed();
}

Test(musl, a_function_of_its_libc_is_called)
{
	start("churn under signals");
	const remote_addr function = target_symbol(&target, "time");

	for (int i = 0; i < TIMES; i++) {
		victim.shared->called = 0;
		hijack();
		cr_assert(
			eq(int,
			   tracee_call(&tracee, function,
				       (uint64_t)(uintptr_t)&victim.shared->self->called, &err),
			   0),
			"%s", err.text);
		for (int n = 0; n < 5000 && !victim.shared->called; n++)
			usleep(1000);
		cr_assert(ne(llong, victim.shared->called, 0), "time() was not called");
		fetch(function);
		let_go();
	}
	expect_unharmed();
}

Test(musl, a_call_that_blocks_is_taken_back)
{
	start("churn under signals");
	const remote_addr function = target_symbol(&target, "pause");

	for (int i = 0; i < TIMES / 4; i++) {
		hijack();
		cr_assert(eq(int, tracee_call(&tracee, function, 0, &err), 0), "%s", err.text);
		usleep(3000);
		cr_assert(eq(int, tracee_check(&tracee, &err), 0), "%s", err.text);
		cr_assert(eq(int, tracee_take_back(&tracee, &err), 0), "%s", err.text);
		let_go();
	}
	expect_unharmed();
}
