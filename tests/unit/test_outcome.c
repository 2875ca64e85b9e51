/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "src/outcome.h"
#include "tests/unit/reply_builder.h"

static struct reply_builder builder;

static struct outcome judged(void)
{
	struct outcome outcome = {.pid = 4711, .operation = WIRE_COMMAND_ATTACH};
	struct report report;
	struct hp_err err;

	cr_assert(eq(int, report_decode(&report, reply_end(&builder), &err), 0), "%s",
		  err.text);
	outcome_take_report(&outcome, &report);
	cr_assert(eq(ptr, report.records, NULL), "taken over, not copied");
	return outcome;
}

Test(outcome, each_status_has_its_exit_status)
{
	static const struct {
		enum wire_status status;
		int exit_status;
		const char *name;
	} cases[] = {
		{WIRE_STATUS_APPLIED, 0, "applied"},
		{WIRE_STATUS_NOTHING_TO_DO, 0, "nothing-to-do"},
		{WIRE_STATUS_SOURCE_ERROR, 18, "error"},
		{WIRE_STATUS_REFUSED, 10, "error"},
		{WIRE_STATUS_CANCELLED, 8, "error"},
		{WIRE_STATUS_UNSUPPORTED, 6, "error"},
		{WIRE_STATUS_FINALIZING, 17, "error"},
		{WIRE_STATUS_BROKEN, 19, "error"},
		{WIRE_STATUS_INTERNAL, 13, "error"},
		{WIRE_STATUS_BUSY, 8, "error"},
		{WIRE_STATUS_REVOKED, 21, "error"},
	};

	cr_assert(eq(sz, sizeof(cases) / sizeof(cases[0]), WIRE_STATUS_COUNT - 1));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		reply_begin(&builder, cases[i].status);
		struct outcome outcome = judged();

		cr_assert(eq(int, outcome_exit_status(&outcome), cases[i].exit_status), "%s",
			  cases[i].name);
		cr_assert(eq(str, outcome_status(&outcome), cases[i].name));
		cr_assert(eq(int, outcome.err.text[0] != '\0', cases[i].exit_status != 0));
		outcome_fini(&outcome);
	}
}

static void expect_sentence(const char *text, const char *sentence, const char *details)
{
	reply_begin(&builder, WIRE_STATUS_SOURCE_ERROR);
	reply_add(&builder, (struct wire_record){.kind = WIRE_RECORD_ERROR}, "shop.cart", "",
		  text);
	struct outcome outcome = judged();
	char *got = outcome_details(&outcome);

	cr_assert(eq(str, outcome.err.text, sentence));
	cr_assert(eq(str, got ? got : "", details ? details : ""));
	free(got);
	outcome_fini(&outcome);
}

Test(outcome, the_sentence_names_the_exception)
{
	const char *syntax = "  File \"/srv/cart.py\", line 3\n    def f(:\n          ^\n"
			     "SyntaxError: invalid syntax\n";
	const char *raised =
		"Traceback (most recent call last):\n  File \"/srv/cart.py\", line 9, in "
		"<module>\n    raise ValueError('a\\nb')\nValueError: a\nb";
	const char *raised_shown =
		"Traceback (most recent call last):\n  File \"/srv/cart.py\", line "
		"9, in <module>\n    raise ValueError('a\\nb')\nValueError: a\nb\n";

	expect_sentence(syntax, "module shop.cart: SyntaxError: invalid syntax", syntax);
	expect_sentence(raised, "module shop.cart: ValueError: a", raised_shown);
	expect_sentence("no such file", "module shop.cart: no such file", NULL);
	expect_sentence("\n", "module shop.cart: ", "\n");
}

Test(outcome, further_errors_are_details)
{
	reply_begin(&builder, WIRE_STATUS_SOURCE_ERROR);
	reply_add(&builder, (struct wire_record){.kind = WIRE_RECORD_ERROR}, "", "", "one");
	reply_add(&builder, (struct wire_record){.kind = WIRE_RECORD_ERROR}, "", "", "two");
	struct outcome outcome = judged();
	char *details = outcome_details(&outcome);

	cr_assert(eq(str, outcome.err.text, "one"));
	cr_assert(eq(str, details, "  and: two\n"));
	free(details);
	outcome_fini(&outcome);
}

Test(outcome, a_refusal_names_the_first_reason)
{
	reply_begin(&builder, WIRE_STATUS_REFUSED);
	reply_add(&builder,
		  (struct wire_record){.kind = WIRE_RECORD_FUNCTION,
				       .action = WIRE_ACTION_CHANGED},
		  "shop", "f", "");
	reply_add(
		&builder,
		(struct wire_record){.kind = WIRE_RECORD_CLASS, .action = WIRE_ACTION_REFUSED},
		"shop", "Order", "3 instances cannot move: __slots__ differ");
	struct outcome outcome = judged();

	cr_assert(eq(str, outcome.err.text,
		     "shop.Order: 3 instances cannot move: __slots__ differ"));
	cr_assert(eq(int, outcome_exit_status(&outcome), 10));
	outcome_fini(&outcome);
}

Test(outcome, a_long_error_is_cut_not_overrun)
{
	char text[4000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	reply_begin(&builder, WIRE_STATUS_INTERNAL);
	reply_add(&builder, (struct wire_record){.kind = WIRE_RECORD_ERROR}, "m", "", text);
	struct outcome outcome = judged();

	cr_assert(eq(sz, strlen(outcome.err.text), sizeof(outcome.err.text) - 1));
	outcome_fini(&outcome);
}

Test(outcome, the_worst_status_wins)
{
	cr_assert(eq(int, exit_status_worse(0, 0), 0));
	cr_assert(eq(int, exit_status_worse(0, 4), 4));
	cr_assert(eq(int, exit_status_worse(4, 0), 4));
	cr_assert(eq(int, exit_status_worse(4, 18), 4), "the first of equals");
	cr_assert(eq(int, exit_status_worse(18, 9), 9), "a target that died");
	cr_assert(eq(int, exit_status_worse(9, 18), 9));
	cr_assert(eq(int, exit_status_worse(9, 19), 19), "a target that may be harmed");
	cr_assert(eq(int, exit_status_worse(19, 9), 19));
	cr_assert(eq(int, exit_status_worse(21, 4), 4), "the one that was to blame");
	cr_assert(eq(int, exit_status_worse(4, 21), 4));
	cr_assert(eq(int, exit_status_worse(0, 21), 21));
}
