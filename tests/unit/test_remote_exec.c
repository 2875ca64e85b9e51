/* SPDX-License-Identifier: MIT
 *
 * The switches against being changed from outside, and where the interpreter's own remote
 * execution keeps its things.
 */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/target/remote_exec.h"
#include "victims.h"

/* ---- the switches ---- */

#define SPAN(text) ((struct span){(const uint8_t *)(text), sizeof(text) - 1})
/* What /proc shows ends in a NUL, as the literal does. */
#define WORDS(text) ((struct span){(const uint8_t *)(text), sizeof(text)})

Test(remote_exec, the_variable_counts_with_any_value)
{
	cr_assert(remote_exec_is_off_in_environment(
		WORDS("HOME=/\0PYTHON_DISABLE_REMOTE_DEBUG=1\0A=b")));
	cr_assert(remote_exec_is_off_in_environment(WORDS("PYTHON_DISABLE_REMOTE_DEBUG=")));
	cr_assert(not(remote_exec_is_off_in_environment(
		WORDS("A=PYTHON_DISABLE_REMOTE_DEBUG=1\0PYTHON_DISABLE_REMOTE_DEBUGGER=1"))));
	cr_assert(not(remote_exec_is_off_in_environment(SPAN(""))));
	/* a program that wrote over it: no NUL at the end */
	cr_assert(
		not(remote_exec_is_off_in_environment(SPAN("PYTHON_DISABLE_REMOTE_DEBUG=1"))));
}

Test(remote_exec, the_option_counts_where_python_takes_options)
{
	const struct {
		struct span words;
		bool off;
	} commands[] = {
		{WORDS("python3\0-X\0disable-remote-debug\0app.py"), true},
		{WORDS("python3\0-Xdisable-remote-debug\0-m\0app"), true},
		{WORDS("python3\0-X\0disable_remote_debug"), true},
		{WORDS("python3\0-bbX\0disable-remote-debug=1"), true},
		{WORDS("python3\0-W\0-X\0-OX\0disable-remote-debug"), true},
		{WORDS("python3\0-X\0dev\0-X\0disable-remote-debug"), true},
		{WORDS("python3\0--check-hash-based-pycs\0default\0-Xdisable-remote-debug"),
		 true},
		{WORDS("python3\0app.py\0-X\0disable-remote-debug"), false},
		{WORDS("python3\0-m\0app\0-X\0disable-remote-debug"), false},
		{WORDS("python3\0-c\0-X\0disable-remote-debug"), false},
		{WORDS("python3\0-cm\0-X\0disable-remote-debug"), false},
		{WORDS("python3\0--\0-X\0disable-remote-debug"), false},
		{WORDS("python3\0-\0-X\0disable-remote-debug"), false},
		{WORDS("python3\0-W\0disable-remote-debug"), false},
		{WORDS("python3\0-X\0disable-remote-debugger"), false},
		{WORDS("python3\0-X"), false},
		{WORDS("-X\0app.py"), false},
		{SPAN(""), false},
	};

	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		cr_assert(eq(int, remote_exec_is_off_in_command(commands[i].words),
			     commands[i].off),
			  "row %zu", i);
}

/* The obstacle, which only force passes over. */
static void assert_forbidden(const char *const *argv, const char *const *environment,
			     const char *says)
{
	struct victim victim = victim_spawn(argv, environment);
	struct hp_err err = {0}, all[8];
	struct target target;
	char line[16], hint[64];

	victim_read_line(&victim, line, sizeof(line));
	cr_assert(eq(int, target_describe(&target, victim.pid, TARGET_FULL, &err), -1));
	cr_assert(eq(int, err.obstacle, OBSTACLE_REMOTE_DEBUG_OFF), "%s", err.text);
	cr_assert(ne(ptr, strstr(err.text, says), NULL), "%s", err.text);
	snprintf(hint, sizeof(hint), "attach --force %d", victim.pid);
	cr_assert(ne(ptr, strstr(hp_err_hint_of(&err), hint), NULL), "%s",
		  hp_err_hint_of(&err));
	cr_assert(eq(sz, target_obstacles(victim.pid, all, 8), 1));
	cr_assert(eq(int, all[0].obstacle, OBSTACLE_REMOTE_DEBUG_OFF));

	cr_assert(eq(int, target_describe(&target, victim.pid, TARGET_FORCED, &err), 0), "%s",
		  err.text);
	target_fini(&target);
	cr_assert(eq(int, target_describe(&target, victim.pid, TARGET_IDENTIFY, &err), 0));
	target_fini(&target);
	victim_end(&victim);
}

#define LIVE "import sys; print('up'); sys.stdout.flush(); sys.stdin.read()"

Test(remote_exec, forbidden_by_the_environment)
{
	const struct interpreter python = interpreter_any();

	assert_forbidden((const char *const[]){python.path, "-c", LIVE, NULL},
			 (const char *const[]){"PYTHON_DISABLE_REMOTE_DEBUG=", NULL},
			 "its environment has PYTHON_DISABLE_REMOTE_DEBUG");
}

Test(remote_exec, forbidden_by_an_option)
{
	const struct interpreter python = interpreter_any();

	assert_forbidden((const char *const[]){python.path, "-X", "disable-remote-debug", "-c",
					       LIVE, NULL},
			 NULL, "-X disable-remote-debug");
}

/* ---- the interpreter's own description of itself ---- */

/* As 3.14.10 has it, a release build on x86-64. */
static void describe(uint64_t words[160])
{
	static const uint64_t start[] = {0,      0x030e0af0, 0,    316616, 784,  808,
					 225864, 7280,       7272, 7344,   7360, 7408};
	static const uint64_t support[] = {24, 304, 8076, 0, 4, 512};

	memset(words, 0, 160 * sizeof(*words));
	memcpy(words, start, sizeof(start));
	memcpy(words, "xdebugpy", 8);
	memcpy(words + 89, support, sizeof(support));
}

static bool is_believed(const uint64_t words[160], size_t count)
{
	struct remote_exec_offsets offsets;

	return remote_exec_offsets_of(
		&offsets, (struct span){(const uint8_t *)words, count * sizeof(*words)});
}

Test(remote_exec, offsets_are_found)
{
	struct remote_exec_offsets offsets;
	uint64_t words[160];

	describe(words);
	cr_assert(remote_exec_offsets_of(&offsets,
					 (struct span){(const uint8_t *)words, sizeof(words)}));
	cr_assert(eq(u64, offsets.interpreters_head, 808));
	cr_assert(eq(u64, offsets.interpreter_next, 7272));
	cr_assert(eq(u64, offsets.main_thread, 7360));
	cr_assert(eq(u64, offsets.enabled, 8076));
	cr_assert(eq(u64, offsets.eval_breaker, 24));
	cr_assert(eq(u64, offsets.pending, 304));
	cr_assert(eq(u64, offsets.path, 308));
	cr_assert(is_believed(words, 95));
	cr_assert(not(is_believed(words, 94)), "cut short");
}

/* Each of these, believed, would be written to somewhere else in the process. */
Test(remote_exec, wild_offsets_are_not_believed)
{
	static const struct {
		size_t word;
		uint64_t value;
	} wild[] = {
		{0, 0},           {5, UINT64_MAX - 7}, {5, 316616},    {6, UINT64_MAX},
		{7, UINT64_MAX},  {8, 225864},         {10, 1u << 30}, {89, UINT64_MAX},
		{90, UINT64_MAX}, {91, 225864},        {93, 8},        {94, 1024},
	};
	uint64_t words[160];

	for (size_t i = 0; i < sizeof(wild) / sizeof(*wild); i++) {
		describe(words);
		words[wild[i].word] = wild[i].value;
		cr_assert(not(is_believed(words, 160)), "row %zu", i);
	}
}
