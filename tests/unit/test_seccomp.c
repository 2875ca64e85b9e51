/* SPDX-License-Identifier: MIT
 *
 * Which filters let an attach pass, and which call is named when one does not.
 */
#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/target/seccomp.h"

#define SYS_clone3_ 435
#define ERRNO(e)    (SECCOMP_RET_ERRNO | (e))

/* A filter that gives one answer to one call when all bits of `mask` are set in its third
 * argument, and lets everything else pass. */
struct rule {
	uint32_t nr, mask, answer;
};

static struct seccomp_filter filter_of(const struct rule *rule)
{
	const struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, rule->nr, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, rule->mask),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, rule->mask, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, rule->answer),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct seccomp_filter filter = {malloc(sizeof(program)), 7};

	memcpy(filter.program, program, sizeof(program));
	return filter;
}

static const struct seccomp_libc all_calls = {true, true, true};

/* "" when the rules let an attach pass; else what is said. */
static const char *judge(const struct rule *rules, size_t count, struct seccomp_libc libc)
{
	static struct hp_err err;
	struct target target = {.pid = 4711};
	struct seccomp_filters filters = {calloc(count + 1, sizeof(struct seccomp_filter)),
					  count};

	for (size_t i = 0; i < count; i++)
		filters.items[i] = filter_of(&rules[i]);
	err = (struct hp_err){0};
	if (seccomp_judge(&target, &filters, &libc, &err) == 0)
		cr_assert(eq(str, err.text, ""));
	else
		cr_assert(eq(int, err.obstacle, OBSTACLE_SECCOMP));
	seccomp_filters_fini(&filters);
	return err.text;
}

#define judge_one(nr, mask, answer) judge(&(struct rule){nr, mask, answer}, 1, all_calls)

static void assert_says(const char *text, const char *what)
{
	cr_assert(ne(ptr, strstr(text, what), NULL), "\"%s\" does not say \"%s\"", text, what);
}

static void assert_needed_by(struct python_info python, uint32_t nr, const char *says)
{
	const struct rule rule = {nr, 0, SECCOMP_RET_KILL_PROCESS};
	struct target target = {.pid = 4711};
	struct seccomp_filter filter = filter_of(&rule);
	const struct seccomp_filters filters = {&filter, 1};
	struct hp_err err;

	cr_assert(eq(int, seccomp_judge(&target, &filters, &all_calls, &err), 0));
	target.python = python;
	cr_assert(eq(int, seccomp_judge(&target, &filters, &all_calls, &err), -1));
	assert_says(err.text, says);
	free(filter.program);
}

Test(seccomp, what_some_interpreters_do_counts)
{
	assert_needed_by((struct python_info){.free_threaded = true}, SYS_sched_yield,
			 "would kill it for sched_yield");
	assert_needed_by((struct python_info){.minor = 15}, SYS_prctl,
			 "would kill it for prctl (PR_SET_VMA)");
	assert_says(judge_one(SYS_sched_getaffinity, 0, SECCOMP_RET_KILL_PROCESS),
		    "would kill it for sched_getaffinity");
}

Test(seccomp, no_filter_and_one_for_other_calls_pass)
{
	cr_assert(eq(str, judge(NULL, 0, all_calls), ""));
	cr_assert(eq(str, judge_one(SYS_mount, 0, SECCOMP_RET_KILL_PROCESS), ""));
	cr_assert(eq(str, judge_one(SYS_munmap, 0, SECCOMP_RET_LOG), ""));
}

Test(seccomp, each_answer_has_its_word)
{
	assert_says(judge_one(SYS_munmap, 0, SECCOMP_RET_KILL_PROCESS),
		    "would kill it for munmap");
	assert_says(judge_one(SYS_munmap, 0, SECCOMP_RET_KILL_THREAD),
		    "would kill it for munmap");
	assert_says(judge_one(SYS_munmap, 0, SECCOMP_RET_TRAP), "sends SIGSYS for munmap");
	assert_says(judge_one(SYS_munmap, 0, SECCOMP_RET_USER_NOTIF),
		    "asks a supervisor about munmap");
	assert_says(judge_one(SYS_munmap, 0, ERRNO(EPERM)), "denies munmap");
	assert_says(judge_one(SYS_munmap, 0, ERRNO(EPERM)), "Operation not permitted");
	assert_says(judge_one(SYS_munmap, 0, SECCOMP_RET_TRACE), "denies munmap");
}

/* Executable memory alone is forbidden by many; data may be mapped. */
Test(seccomp, arguments_count)
{
	assert_says(judge_one(SYS_mmap, PROT_EXEC, SECCOMP_RET_KILL_PROCESS),
		    "kill it for mmap (executable)");
	cr_assert(eq(str, judge_one(SYS_mmap, PROT_EXEC | PROT_WRITE, SECCOMP_RET_KILL_PROCESS),
		     ""));
	assert_says(judge_one(SYS_mprotect, PROT_READ | PROT_WRITE, SECCOMP_RET_KILL_PROCESS),
		    "mprotect");
	cr_assert(eq(str, judge_one(SYS_mprotect, PROT_EXEC, SECCOMP_RET_KILL_PROCESS), ""));
}

Test(seccomp, what_is_denied_for_the_memory_has_another_way)
{
	const struct rule no_memfd = {SYS_memfd_create, 0, ERRNO(EPERM)};
	const struct rule no_exec = {SYS_mmap, PROT_EXEC, ERRNO(EACCES)};
	const struct rule no_exec_at_all[] = {no_exec,
					      {SYS_mprotect, PROT_EXEC, ERRNO(EACCES)}};
	const struct rule neither[] = {no_memfd, no_exec};

	cr_assert(eq(str, judge(&no_memfd, 1, all_calls), ""));
	cr_assert(eq(str, judge(&no_exec, 1, all_calls), ""));
	cr_assert(eq(str, judge(neither, 2, all_calls), ""));
	assert_says(judge(no_exec_at_all, 2, all_calls), "denies mprotect (executable)");
	assert_says(judge_one(SYS_memfd_create, 0, SECCOMP_RET_KILL_PROCESS),
		    "kill it for memfd_create");
	/* For want of memory there is no other way. */
	assert_says(judge_one(SYS_mmap, PROT_EXEC, ERRNO(ENOMEM)), "denies mmap (executable)");
}

Test(seccomp, what_may_fail_may_be_denied_but_not_kill)
{
	cr_assert(eq(str, judge_one(SYS_madvise, 0, ERRNO(EPERM)), ""));
	assert_says(judge_one(SYS_madvise, 0, SECCOMP_RET_KILL_THREAD), "kill it for madvise");
	cr_assert(eq(str, judge_one(SYS_rseq, 0, ERRNO(ENOSYS)), ""));
	assert_says(judge_one(SYS_rseq, 0, SECCOMP_RET_KILL_THREAD), "kill it for rseq");
}

Test(seccomp, clone3_may_be_missing_as_docker_has_it)
{
	const struct rule missing = {SYS_clone3_, 0, ERRNO(ENOSYS)};
	const struct rule both[] = {missing, {SYS_clone, 0, ERRNO(EPERM)}};
	const struct rule kill_clone3 = {SYS_clone3_, 0, SECCOMP_RET_KILL_PROCESS};
	const struct rule kill_clone = {SYS_clone, 0, SECCOMP_RET_KILL_PROCESS};
	const struct seccomp_libc old = {true, false, false};

	cr_assert(eq(str, judge(&missing, 1, all_calls), ""));
	assert_says(judge(both, 2, all_calls), "denies clone,");
	assert_says(judge_one(SYS_clone3_, 0, ERRNO(EPERM)), "denies clone3");
	assert_says(judge(&kill_clone3, 1, all_calls), "kill it for clone3");
	/* A libc that never calls it does not care. */
	cr_assert(eq(str, judge(&kill_clone3, 1, old), ""));
	cr_assert(eq(str, judge(&kill_clone, 1, all_calls), ""));
	assert_says(judge(&kill_clone, 1, old), "kill it for clone,");
}

Test(seccomp, of_several_filters_the_most_severe_answer_counts)
{
	const struct rule rules[] = {
		{SYS_madvise, 0, ERRNO(EPERM)},
		{SYS_madvise, 0, SECCOMP_RET_KILL_PROCESS},
		{SYS_madvise, 0, SECCOMP_RET_ALLOW},
	};

	assert_says(judge(rules, 3, all_calls), "kill it for madvise");
}

Test(seccomp, whether_a_wait_may_be_restarted)
{
	struct seccomp_filter one =
		filter_of(&(struct rule){SYS_restart_syscall, 0, SECCOMP_RET_KILL_PROCESS});
	struct seccomp_filters filters = {&one, 1}, none = {0};

	cr_assert(not(seccomp_lets_restart(&filters)));
	cr_assert(seccomp_lets_restart(&none));
	free(one.program);
}

/* The payload's raw calls, by their names in its source. */
static void assert_in_table(const char *file, const char *table)
{
	static char text[1 << 17];
	FILE *from = fopen(file, "re");

	cr_assert(ne(ptr, from, NULL), "%s", file);
	text[fread(text, 1, sizeof(text) - 1, from)] = '\0';
	fclose(from);
	for (const char *at = text; (at = strstr(at, "SYS_")); at += 4) {
		char entry[64];
		size_t len = strspn(at, "SYS_abcdefghijklmnopqrstuvwxyz0123456789");

		if (at > text && (isalnum((unsigned char)at[-1]) || at[-1] == '_'))
			continue; /* PAYLOAD_SYS_H */
		snprintf(entry, sizeof(entry), "{%.*s, ", (int)len, at);
		cr_assert(ne(ptr, strstr(table, entry), NULL),
			  "%s calls %.*s, which inject/target/seccomp.c does not judge", file,
			  (int)len, at);
	}
}

Test(seccomp, every_call_of_the_payload_is_judged)
{
	static char table[1 << 16];
	FILE *from = fopen(HP_SOURCE_ROOT "/inject/target/seccomp.c", "re");
	glob_t files = {0};

	cr_assert(ne(ptr, from, NULL));
	table[fread(table, 1, sizeof(table) - 1, from)] = '\0';
	fclose(from);
	cr_assert(eq(int, glob(HP_SOURCE_ROOT "/payload/*.[ch]", 0, NULL, &files), 0));
	for (size_t i = 0; i < files.gl_pathc; i++)
		assert_in_table(files.gl_pathv[i], table);
	globfree(&files);
}
