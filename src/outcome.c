/* SPDX-License-Identifier: MIT
 *
 * From the payload's answer to an error, or to none. What is said here in words comes from the
 * decoded report, whose texts are fit to print.
 */
#include "src/outcome.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct verdict {
	enum hp_err_kind kind;
	const char *sentence; /* when no record says it better */
} verdicts[WIRE_STATUS_COUNT] = {
	[WIRE_STATUS_NONE] = {HP_BAD_REPORT, "the payload did not answer"},
	[WIRE_STATUS_APPLIED] = {HP_OK, ""},
	[WIRE_STATUS_NOTHING_TO_DO] = {HP_OK, ""},
	[WIRE_STATUS_SOURCE_ERROR] = {HP_SOURCE, "the new source has an error"},
	[WIRE_STATUS_REFUSED] = {HP_REFUSED, "the changes cannot be applied"},
	[WIRE_STATUS_CANCELLED] = {HP_TIMEOUT, "timed out before anything was changed"},
	[WIRE_STATUS_UNSUPPORTED] = {HP_UNSUPPORTED, "the interpreter cannot be served"},
	[WIRE_STATUS_FINALIZING] = {HP_FINALIZING, "the interpreter is shutting down"},
	[WIRE_STATUS_BROKEN] = {HP_NOT_RESTORED,
				"the changes failed halfway and could not be taken back"},
	[WIRE_STATUS_INTERNAL] = {HP_INTERNAL, "the payload failed, and has changed nothing"},
	[WIRE_STATUS_BUSY] = {HP_TIMEOUT, "timed out: what is to change was always running"},
	[WIRE_STATUS_REVOKED] = {HP_HELD_BACK,
				 "taken back, because another process could not be changed"},
};

static const struct operation_words {
	const char *name, *done;
} operations[WIRE_COMMAND_COUNT] = {
	[WIRE_COMMAND_ATTACH] = {"attach", "applied"},
	[WIRE_COMMAND_PLAN] = {"plan", "planned"},
	[WIRE_COMMAND_ROLLBACK] = {"rollback", "rolled-back"},
	[WIRE_COMMAND_STATUS] = {"status", "recorded"},
	[WIRE_COMMAND_FORGET] = {"forget", "forgotten"},
	[WIRE_COMMAND_SOURCES] = {"sources", "named"},
};

/* The line of a traceback that names the exception: the first one that is not indented after
 * the last one that is. Python puts notes and further lines of a message behind it. */
static const char *exception_line(const char *text, size_t *len_out)
{
	const char *found = text, *line = text;
	bool was_indented = true;

	for (;;) {
		size_t len = strcspn(line, "\n");
		bool is_indented = !len || line[0] == ' ' || line[0] == '\t';

		if (was_indented && !is_indented)
			found = line;
		was_indented = is_indented;
		if (!line[len] || !line[len + 1])
			break;
		line += len + 1;
	}
	*len_out = strcspn(found, "\n");
	return found;
}

static const struct report_record *find_record(const struct report *report,
					       enum wire_record_kind kind,
					       enum wire_action action)
{
	for (size_t i = 0; i < report->count; i++) {
		const struct report_record *record = &report->records[i];

		if (kind ? record->kind == kind : record->action == action)
			return record;
	}
	return NULL;
}

static void judge(struct hp_err *err, const struct report *report)
{
	const struct verdict *verdict = &verdicts[report->header.status];
	const struct report_record *record;

	if (verdict->kind == HP_OK) {
		*err = (struct hp_err){0};
		return;
	}
	record = find_record(report, WIRE_RECORD_ERROR, WIRE_ACTION_NONE);
	if (record && record->text[0]) {
		size_t len;
		const char *line = exception_line(record->text, &len);

		hp_err_set(err, verdict->kind, 0, "%.*s", (int)len, line);
		if (record->module[0])
			hp_err_wrap(err, "module %s", record->module);
		return;
	}
	record = find_record(report, 0, WIRE_ACTION_REFUSED);
	if (record && record->text[0])
		hp_err_set(err, verdict->kind, 0, "%s%s%s: %s", record->module,
			   record->module[0] && record->name[0] ? "." : "", record->name,
			   record->text);
	else
		hp_err_set(err, verdict->kind, 0, "%s", verdict->sentence);
}

void outcome_take_report(struct outcome *outcome, struct report *report)
{
	outcome->report = *report;
	outcome->has_report = true;
	*report = (struct report){0};
	judge(&outcome->err, &outcome->report);
}

void outcome_check_filters(struct outcome *outcome, size_t modules, size_t paths)
{
	uint32_t looked = outcome->report.header.modules_looked;

	if (outcome->err.kind != HP_OK || looked >= modules + (paths > 0))
		return;
	if (looked && !paths)
		snprintf(
			outcome->note, sizeof(outcome->note),
			"only %u of the %zu modules named by --module are imported from a source file",
			looked, modules);
	else if (!looked)
		snprintf(outcome->note, sizeof(outcome->note),
			 "no module named by %s is imported from a source file",
			 !paths    ? "--module"
			 : modules ? "--module or --path"
				   : "--path");
}

void outcome_fini(struct outcome *outcome)
{
	report_fini(&outcome->report);
	*outcome = (struct outcome){0};
}

const char *outcome_operation(const struct outcome *outcome)
{
	return operations[outcome->operation].name;
}

const char *outcome_status(const struct outcome *outcome)
{
	if (outcome->err.kind != HP_OK)
		return "error";
	if (outcome->report.header.status == WIRE_STATUS_NOTHING_TO_DO)
		return "nothing-to-do";
	return operations[outcome->operation].done;
}

bool outcome_undo(char *out, size_t size, const struct outcome *outcome)
{
	if (outcome->operation != WIRE_COMMAND_ATTACH || outcome->err.kind != HP_OK ||
	    outcome->report.header.status != WIRE_STATUS_APPLIED)
		return false;
	snprintf(out, size, "pyhotpatch rollback %d", (int)outcome->pid);
	return true;
}

int outcome_exit_status(const struct outcome *outcome)
{
	return hp_err_exit_status(outcome->err.kind);
}

char *outcome_details(const struct outcome *outcome)
{
	const struct report *report = &outcome->report;
	char *text = NULL;
	size_t size;
	FILE *to;

	if (outcome->err.kind == HP_OK || !outcome->has_report)
		return NULL;
	to = open_memstream(&text, &size);
	if (!to)
		return NULL;
	for (size_t i = 0, shown = 0; i < report->count; i++) {
		const struct report_record *record = &report->records[i];

		if (record->kind != WIRE_RECORD_ERROR || !record->text[0])
			continue;
		/* the first one's only line is the sentence already */
		if (shown++ == 0 && !strchr(record->text, '\n'))
			continue;
		if (!strchr(record->text, '\n'))
			fputs("  and: ", to);
		fputs(record->text, to);
		if (record->text[strlen(record->text) - 1] != '\n')
			fputc('\n', to);
	}
	fclose(to);
	if (size)
		return text;
	free(text);
	return NULL;
}

static int rank_of(int status)
{
	if (status == hp_err_exit_status(HP_NOT_RESTORED))
		return 4;
	if (status == hp_err_exit_status(HP_TARGET_DIED))
		return 3;
	if (status != hp_err_exit_status(HP_HELD_BACK))
		return status ? 2 : 0;
	return 1; /* the other one tells why */
}

int exit_status_worse(int earlier, int later)
{
	return rank_of(later) > rank_of(earlier) ? later : earlier;
}
