/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/err.h"

Test(err, set_fills_and_returns_minus_one)
{
	struct hp_err err;

	cr_assert(eq(int, hp_err_set(&err, HP_PERMISSION, EPERM, "seize thread %d", 7), -1));
	cr_assert(eq(str, err.text, "seize thread 7: Operation not permitted"));
	cr_assert(eq(int, err.sys_errno, EPERM));
	cr_assert(eq(str, err.undo_text, ""));
}

Test(err, wrap_puts_context_in_front)
{
	struct hp_err err;

	hp_err_set(&err, HP_SYSTEM, 0, "inner");
	cr_assert(eq(int, hp_err_wrap(&err, "outer %d", 1), -1));
	cr_assert(eq(str, err.text, "outer 1: inner"));
	cr_assert(eq(int, err.kind, HP_SYSTEM));
}

Test(err, long_texts_are_cut_not_overrun)
{
	struct hp_err err;
	char big[2000];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	hp_err_set(&err, HP_SYSTEM, ENOENT, "%s", big);
	cr_assert(eq(sz, strlen(err.text), sizeof(err.text) - 1));
	hp_err_wrap(&err, "%s", big);
	cr_assert(eq(sz, strlen(err.text), sizeof(err.text) - 1));
}

Test(err, first_undo_failure_is_kept)
{
	struct hp_err err;

	hp_err_set(&err, HP_SYSTEM, 0, "first");
	hp_err_undo(&err, "a");
	hp_err_undo(&err, "b");
	cr_assert(eq(str, err.undo_text, "a"));
	cr_assert(eq(str, err.text, "first"));
}

Test(err, every_kind_has_its_own_exit_status_name_and_hint)
{
	int seen[256] = {0};

	for (int kind = HP_OK + 1; kind < HP_ERR_KIND_COUNT; kind++) {
		int status = hp_err_exit_status(kind);
		cr_assert(status > 1 && status < 126);
		cr_assert(eq(int, seen[status]++, 0), "status %d twice", status);
		struct hp_err err;
		hp_err_set(&err, kind, 0, "x");
		cr_assert(ne(str, hp_err_hint_of(&err), ""));
		cr_assert(ne(str, hp_err_kind_name(kind), ""));
	}
}

Test(err, own_hint_wins)
{
	struct hp_err err;

	hp_err_set(&err, HP_TRACED, 0, "x");
	hp_err_hint(&err, "end gdb (pid %d)", 5);
	cr_assert(eq(str, hp_err_hint_of(&err), "end gdb (pid 5)"));
}
