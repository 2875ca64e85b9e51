/* SPDX-License-Identifier: MIT
 *
 * Any bytes as a reply. What is accepted must keep the promises that the renderings rely on:
 * whole strings, valid UTF-8 without control characters (but newlines and tabs in errors),
 * known kinds.
 */
#include <stdlib.h>
#include <string.h>

#include "inject/report/report.h"
#include "inject/report/text.h"

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* Neutralizing twice changes nothing: so there was nothing left to neutralize. */
static void check_text(const char *text, enum text_shape shape)
{
	char *again = text_neutralize_dup(text, shape);

	require(again && !strcmp(again, text));
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct report report;
	struct hp_err err;

	if (report_decode(&report, (struct span){data, size}, &err) < 0) {
		require(err.kind == HP_BAD_REPORT);
		return 0;
	}
	require(report.count == report.header.record_count);
	require(report.header.status > WIRE_STATUS_NONE &&
		report.header.status < WIRE_STATUS_COUNT);
	for (size_t i = 0; i < report.count; i++) {
		const struct report_record *record = &report.records[i];

		require(record->kind > 0 && record->kind < WIRE_RECORD_KIND_COUNT);
		require(record->action < WIRE_ACTION_COUNT);
		check_text(record->module, TEXT_ONE_LINE);
		check_text(record->name, TEXT_ONE_LINE);
		check_text(record->text,
			   record->kind == WIRE_RECORD_ERROR ? TEXT_LINES : TEXT_ONE_LINE);
	}
	report_fini(&report);
	return 0;
}
