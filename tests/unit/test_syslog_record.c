/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "src/syslog_record.h"
#include "tests/unit/samples.h"

static char text[SYSLOG_RECORD_MAX];

static void expect_start(const char *wanted)
{
	cr_assert(eq(int, strncmp(text, wanted, strlen(wanted)), 0), "%s", text);
}

Test(syslog_record, an_attach_that_changed_something)
{
	struct outcome outcome = applied();

	cr_assert(syslog_record_text(text, &outcome));
	expect_start(
		"attach to process 4711 (gunicorn: worker [shop]\\x1b[31m): applied shop.");
	cr_assert(ne(ptr, strstr(text, "; by "), NULL), "%s", text);
	cr_assert(eq(ptr, strpbrk(text, "\n\x1b"), NULL));
	outcome_fini(&outcome);
}

Test(syslog_record, a_rollback)
{
	struct outcome outcome = applied();

	outcome.operation = WIRE_COMMAND_ROLLBACK;
	outcome.inner_pid = 1;
	outcome.command[0] = '\0';
	cr_assert(syslog_record_text(text, &outcome));
	expect_start("rollback in process 4711 (pid 1 in its container): taken back: shop.");
	outcome_fini(&outcome);
}

Test(syslog_record, what_was_there_for_a_moment)
{
	struct outcome outcome;

	reply_begin(&builder, WIRE_STATUS_REVOKED);
	outcome = end_reply();
	cr_assert(syslog_record_text(text, &outcome));
	cr_assert(ne(ptr,
		     strstr(text, ": applied, and taken back because of another process; by "),
		     NULL),
		  "%s", text);
	outcome_fini(&outcome);
}

Test(syslog_record, what_may_have_harmed)
{
	struct outcome outcome = {.pid = 4711, .operation = WIRE_COMMAND_ATTACH};

	hp_err_set(&outcome.err, HP_TARGET_DIED, 0, "the process died");
	cr_assert(syslog_record_text(text, &outcome));
	expect_start("attach to process 4711: the process died; by ");
}

Test(syslog_record, nothing_when_nothing_was_changed)
{
	struct outcome outcome = applied();

	outcome.report.header.status = WIRE_STATUS_NOTHING_TO_DO;
	cr_assert(not(syslog_record_text(text, &outcome)));
	cr_assert(eq(str, text, ""));
	outcome.report.header.status = WIRE_STATUS_APPLIED;
	outcome.operation = WIRE_COMMAND_PLAN;
	cr_assert(not(syslog_record_text(text, &outcome)));
	outcome.operation = WIRE_COMMAND_ATTACH;
	hp_err_set(&outcome.err, HP_REFUSED, 0, "refused");
	cr_assert(not(syslog_record_text(text, &outcome)));
	outcome_fini(&outcome);
}

Test(syslog_record, too_long_is_cut_between_characters)
{
	struct outcome outcome;
	char name[64];

	reply_begin(&builder, WIRE_STATUS_APPLIED);
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "shop.\u00fcbersicht_\u00fc\u00fc%d", i);
		add(WIRE_RECORD_FUNCTION, WIRE_ACTION_CHANGED, name, "f", "");
	}
	outcome = end_reply();
	cr_assert(syslog_record_text(text, &outcome));
	cr_assert(lt(sz, strlen(text), SYSLOG_RECORD_MAX));
	cr_assert(eq(str, text + strlen(text) - 3, "..."));
	/* an ASCII character, or the second byte of a pair that is complete */
	cr_assert(eq(int, (text[strlen(text) - 4] & 0x80) != 0,
		     (text[strlen(text) - 5] & 0xe0) == 0xc0));
	outcome_fini(&outcome);
}
