/* SPDX-License-Identifier: MIT
 *
 * A result for people: one headline, then module by module, most important first,
 * then warnings. What comes from the target was neutralized when the report was decoded.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "inject/report/text.h"
#include "src/changes.h"
#include "src/layout.h"
#include "src/process_name.h"
#include "src/render.h"

#define LIST_SHORT   24 /* names in a row before "and N more", without -v */
#define EXTRAS_SHORT 12 /* warnings, frames likewise */

/* One row below a module: what happened to which kind of thing. */
static const struct row {
	enum wire_record_kind kind;
	enum wire_action action;
	const char *label;
} rows[] = {
	{WIRE_RECORD_FUNCTION, WIRE_ACTION_CHANGED, "functions changed"},
	{WIRE_RECORD_FUNCTION, WIRE_ACTION_ADDED, "functions added"},
	{WIRE_RECORD_FUNCTION, WIRE_ACTION_REMOVED, "functions removed"},
	{WIRE_RECORD_FUNCTION, WIRE_ACTION_MIGRATED, "functions replaced"},
	{WIRE_RECORD_CLASS, WIRE_ACTION_CHANGED, "classes changed"},
	{WIRE_RECORD_CLASS, WIRE_ACTION_ADDED, "classes added"},
	{WIRE_RECORD_CLASS, WIRE_ACTION_REMOVED, "classes removed"},
	{WIRE_RECORD_CLASS, WIRE_ACTION_MIGRATED, "classes replaced"},
	{WIRE_RECORD_INSTANCES, WIRE_ACTION_MIGRATED, "instances moved"},
	{WIRE_RECORD_INSTANCES, WIRE_ACTION_CHANGED, "instances moved"},
	{WIRE_RECORD_INSTANCES, WIRE_ACTION_KEPT, "instances kept"},
	{WIRE_RECORD_NAME, WIRE_ACTION_CHANGED, "names rebound"},
	{WIRE_RECORD_NAME, WIRE_ACTION_ADDED, "names added"},
	{WIRE_RECORD_NAME, WIRE_ACTION_REMOVED, "names removed"},
	{WIRE_RECORD_STATEMENT, WIRE_ACTION_CHANGED, "statements run"},
	{WIRE_RECORD_NAME, WIRE_ACTION_LOST, "STATE LOST"},
	{WIRE_RECORD_NAME, WIRE_ACTION_KEPT, "state kept"},
	{WIRE_RECORD_FUNCTION, WIRE_ACTION_KEPT, "functions kept"},
	{WIRE_RECORD_CLASS, WIRE_ACTION_KEPT, "classes kept"},
};

static const char *item_text(char *out, size_t size, const struct report_record *record)
{
	const char *name = record->name[0] ? record->name : record->text;

	if (record->kind == WIRE_RECORD_INSTANCES)
		snprintf(out, size, "%u of %s", record->count, name);
	else if (record->kind == WIRE_RECORD_STATEMENT)
		snprintf(out, size, "line %u: %s", record->line, record->text);
	else if (record->kind == WIRE_RECORD_NAME && record->text[0] && record->value)
		snprintf(out, size, "%s (%s, %llu item%s)", name, record->text,
			 (unsigned long long)record->value, record->value == 1 ? "" : "s");
	else if (record->kind == WIRE_RECORD_NAME && record->text[0] && record->name[0])
		snprintf(out, size, "%s (%s)", name, record->text);
	else
		snprintf(out, size, "%s", name);
	return out;
}

static void put_row(const struct page *page, const struct row *row,
		    const struct module_changes *module)
{
	void (*add)(struct list * list, const char *item) =
		row->kind == WIRE_RECORD_STATEMENT ? list_add_line : list_add;
	struct list list = {page, LIST_INDENT, 0};
	size_t more = 0;
	char item[512];

	for (size_t i = 0; i < module->count; i++) {
		const struct report_record *record = module->items[i];

		if (record->kind != row->kind || record->action != row->action)
			continue;
		if (!page->verbose && list.count >= LIST_SHORT) {
			more++;
			continue;
		}
		if (!list.count)
			fprintf(page->to, "    %-*s", LIST_INDENT - 4, row->label);
		add(&list, item_text(item, sizeof(item), record));
	}
	if (more) {
		snprintf(item, sizeof(item), "and %zu more (-v shows them)", more);
		add(&list, item);
	}
	if (list.count)
		fputc('\n', page->to);
}

/* Skipped and refused ones need their reason, so each has a line of its own. */
static void put_reasons(const struct page *page, const struct module_changes *module,
			bool with_module)
{
	const char *prefix = with_module ? module->name : "";

	for (size_t i = 0; i < module->count; i++) {
		const struct report_record *record = module->items[i];

		if (record->action != WIRE_ACTION_SKIPPED &&
		    record->action != WIRE_ACTION_REFUSED)
			continue;
		fprintf(page->to, "%s%s%s%s %s %s%s%s: %s\n", with_module ? "  " : "    ",
			term_style(page->term, STYLE_WARNING),
			record_action_name(record->action), term_style(page->term, STYLE_PLAIN),
			record_kind_name(record->kind), prefix,
			prefix[0] && record->name[0] ? "." : "", record->name, record->text);
	}
}

static bool is_skipped(const struct module_changes *module)
{
	return module->module && module->module->action == WIRE_ACTION_SKIPPED;
}

static void put_module(const struct page *page, const struct module_changes *module)
{
	const char *text = module->module ? module->module->text : "";
	const bool moved = module->module && module->module->action == WIRE_ACTION_MIGRATED;

	fprintf(page->to, "  %s%s%s%s%s%s\n", term_style(page->term, STYLE_STRONG),
		module->name[0] ? module->name : "(no module)",
		term_style(page->term, STYLE_PLAIN), text[0] ? "  " : "",
		moved ? "now read from " : "", text);
	if (page->verbose && module->module && module->module->name[0])
		fprintf(page->to, "    sha256              %s\n", module->module->name);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		put_row(page, &rows[i], module);
	put_reasons(page, module, false);
}

/* "warning: shop.cart.Cart.total: why", as much of it as there is */
static void put_warning(const struct page *page, const struct report_record *record)
{
	const char *parts[] = {record->module, record->name, record->text};
	const char *between[] = {record->name[0] ? "." : ": ", ": ", ""};
	size_t column = strlen("  warning: ");

	fprintf(page->to, "  %swarning:%s ", term_style(page->term, STYLE_WARNING),
		term_style(page->term, STYLE_PLAIN));
	for (size_t i = 0; i < 3; i++)
		if (parts[i][0])
			column = put_words(page, put_words(page, column, parts[i]), between[i]);
	fputc('\n', page->to);
}

static void put_skipped(const struct page *page, const struct report_record *record)
{
	fprintf(page->to, "  %sskipped:%s %s: %s\n", term_style(page->term, STYLE_WARNING),
		term_style(page->term, STYLE_PLAIN),
		record->module[0] ? record->module : record->name, record->text);
}

static void put_frame(const struct page *page, const struct report_record *record)
{
	fprintf(page->to, "  %s%s:%s %s%s%s", term_style(page->term, STYLE_WARNING),
		record->action == WIRE_ACTION_WAITING ? "waits in old code"
						      : "still runs old code",
		term_style(page->term, STYLE_PLAIN), record->name, record->text[0] ? ", " : "",
		record->text);
	if (record->line)
		fprintf(page->to, ":%u", record->line);
	if (record->value)
		fprintf(page->to, ", thread %llu", (unsigned long long)record->value);
	if (record->count > 1)
		fprintf(page->to, " (%u frames)", record->count);
	fputc('\n', page->to);
}

/* What put_extras() shows: one kind of record, of modules those that were skipped. */
static bool is_extra(const struct report_record *record, enum wire_record_kind kind)
{
	return record->kind == kind &&
	       (kind != WIRE_RECORD_MODULE || record->action == WIRE_ACTION_SKIPPED);
}

static void put_extras(const struct page *page, const struct report *report,
		       enum wire_record_kind kind,
		       void (*put)(const struct page *, const struct report_record *))
{
	size_t count = 0;

	for (size_t i = 0; i < report->count; i++) {
		if (!is_extra(&report->records[i], kind))
			continue;
		if (page->verbose || count < EXTRAS_SHORT)
			put(page, &report->records[i]);
		count++;
	}
	if (!page->verbose && count > EXTRAS_SHORT)
		fprintf(page->to, "  and %zu more such lines (-v shows them)\n",
			count - EXTRAS_SHORT);
}

/* How many modules the report says were changed. */
static size_t count_applied(const struct changes *changes)
{
	size_t applied = 0;

	for (size_t i = 0; i < changes->count; i++)
		applied += !is_skipped(&changes->modules[i]);
	return applied;
}

static size_t count_attaches(const struct report *report)
{
	size_t count = 0;

	for (size_t i = 0; i < report->count; i++)
		count += report->records[i].kind == WIRE_RECORD_ATTACH;
	return count;
}

/* "2 attaches", "1 module" */
static const char *counted(char *out, size_t size, size_t count, const char *one,
			   const char *many)
{
	snprintf(out, size, "%zu %s", count, count == 1 ? one : many);
	return out;
}

static void put_nothing(const struct page *page, const struct outcome *outcome)
{
	static const char *const texts[WIRE_COMMAND_COUNT] = {
		[WIRE_COMMAND_ROLLBACK] = "there is no attach to take back",
		[WIRE_COMMAND_STATUS] = "no attach is recorded",
		[WIRE_COMMAND_FORGET] = "there is nothing to forget",
	};
	uint32_t looked = outcome->report.header.modules_looked;

	if (texts[outcome->operation])
		fprintf(page->to, "%s; asked", texts[outcome->operation]);
	else
		fprintf(page->to, "nothing to do: %u module%s looked at", looked,
			looked == 1 ? "" : "s");
}

static void put_done(const struct page *page, const struct outcome *outcome,
		     const struct changes *changes)
{
	char modules[48], attaches[48];

	counted(modules, sizeof(modules), count_applied(changes), "module", "modules");
	counted(attaches, sizeof(attaches), count_attaches(&outcome->report), "attach",
		"attaches");
	fputs(term_style(page->term, STYLE_STRONG), page->to);
	fputs(term_style(page->term, STYLE_GOOD), page->to);
	if (outcome->operation == WIRE_COMMAND_ROLLBACK)
		fprintf(page->to, "took back%s %s", term_style(page->term, STYLE_PLAIN),
			attaches);
	else if (outcome->operation == WIRE_COMMAND_STATUS)
		fprintf(page->to, "%s%s recorded; asked", attaches,
			term_style(page->term, STYLE_PLAIN));
	else if (outcome->operation == WIRE_COMMAND_PLAN)
		fprintf(page->to, "would apply%s %s; planned",
			term_style(page->term, STYLE_PLAIN), modules);
	else if (outcome->operation == WIRE_COMMAND_FORGET)
		fprintf(page->to, "forgot%s all that attaches had left",
			term_style(page->term, STYLE_PLAIN));
	else
		fprintf(page->to, "applied%s %s", term_style(page->term, STYLE_PLAIN), modules);
}

static void put_headline(const struct page *page, const struct outcome *outcome,
			 const struct changes *changes)
{
	char elapsed[32], held[32], name[PROCESS_NAME_MAX];

	term_duration(elapsed, sizeof(elapsed), outcome->elapsed_ns);
	term_duration(held, sizeof(held), outcome->held_ns);
	fprintf(page->to, "%s: ", process_name(name, outcome->pid, outcome->inner_pid));
	if (outcome->report.header.status == WIRE_STATUS_NOTHING_TO_DO)
		put_nothing(page, outcome);
	else
		put_done(page, outcome, changes);
	fprintf(page->to, " in %s, held for %s\n", elapsed, held);
}

static void put_verbose(const struct page *page, const struct outcome *outcome)
{
	const struct wire_reply *reply = &outcome->report.header;
	const struct {
		const char *name;
		uint64_t ns;
	} steps[] = {
		{"GIL", reply->gil_wait_ns},    {"select", reply->select_ns},
		{"compile", reply->compile_ns}, {"new code", reply->shadow_ns},
		{"plan", reply->plan_ns},       {"commit", reply->commit_ns},
	};
	char command[TEXT_GROWTH * sizeof(outcome->command)], duration[32];
	int shown = 0;

	text_neutralize(command, outcome->command, strlen(outcome->command), TEXT_ONE_LINE);
	fprintf(page->to, "  CPython %s: %s\n", outcome->python, command);
	fprintf(page->to, "  stopped %u time%s (%u at no safe point)", outcome->stops,
		outcome->stops == 1 ? "" : "s", outcome->unsafe_stops);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (steps[i].ns)
			fprintf(page->to, "%s %s %s", shown++ ? "," : ";", steps[i].name,
				term_duration(duration, sizeof(duration),
					      (int64_t)steps[i].ns));
	fputc('\n', page->to);
}

static void put_modules(const struct page *page, const struct changes *changes, bool applied)
{
	for (size_t i = 0; i < changes->count; i++) {
		if (!applied)
			put_reasons(page, &changes->modules[i], true);
		else if (!is_skipped(&changes->modules[i]))
			put_module(page, &changes->modules[i]);
	}
}

/* "attach 2, 2026-11-25 18:03:12 +0100", and below it what it did */
static void put_attach(const struct page *page, const struct report_record *attach,
		       const struct report *part)
{
	time_t seconds = (time_t)(attach->value / 1000000000);
	struct changes changes;
	char when[64] = "";
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(when, sizeof(when), ", %Y-%m-%d %H:%M:%S %z", &tm);
	fprintf(page->to, " %sattach %u%s%s\n", term_style(page->term, STYLE_STRONG),
		attach->count, term_style(page->term, STYLE_PLAIN), when);
	if (changes_group(&changes, part) < 0)
		return;
	put_modules(page, &changes, true);
	changes_fini(&changes);
}

static void put_attaches(const struct page *page, const struct report *report)
{
	const struct report_record *attach;
	struct report part;
	size_t at = 0;

	while ((attach = changes_next_attach(&part, report, &at)))
		put_attach(page, attach, &part);
}

static void put_undo(const struct page *page, const struct outcome *outcome)
{
	char undo[64];

	if (outcome_undo(undo, sizeof(undo), outcome))
		fprintf(page->to, "  %sundo: %s%s\n", term_style(page->term, STYLE_FAINT), undo,
			term_style(page->term, STYLE_PLAIN));
}

static void put_all(const struct page *page, const struct outcome *outcome,
		    const struct changes *changes)
{
	const struct report *report = &outcome->report;

	if (page->verbose && outcome->err.kind == HP_OK)
		put_verbose(page, outcome);
	if (count_attaches(report))
		put_attaches(page, report);
	else
		put_modules(page, changes, outcome->err.kind == HP_OK);
	put_extras(page, report, WIRE_RECORD_MODULE, put_skipped);
	if (outcome->note[0])
		put_warning(page, &(struct report_record){
					  .module = "", .name = "", .text = outcome->note});
	put_extras(page, report, WIRE_RECORD_WARNING, put_warning);
	put_extras(page, report, WIRE_RECORD_FRAME, put_frame);
	if (report->header.truncated)
		fprintf(page->to, "  %u more did not fit into the report\n",
			report->header.truncated);
}

static bool group(struct changes *out, FILE *to, const struct outcome *outcome)
{
	if (!outcome->has_report)
		return false;
	if (changes_group(out, &outcome->report) == 0)
		return true;
	fprintf(to, "process %d: no memory left for the report\n", (int)outcome->pid);
	return false;
}

void render_text_headline(FILE *to, const struct term *term, const struct outcome *outcome)
{
	const struct page page = {to, term, false};
	struct changes changes;

	if (!group(&changes, to, outcome))
		return;
	put_headline(&page, outcome, &changes);
	changes_fini(&changes);
}

void render_text_details(FILE *to, const struct term *term, const struct outcome *outcome,
			 bool verbose)
{
	const struct page page = {to, term, verbose};
	struct changes changes;

	if (!group(&changes, to, outcome))
		return;
	put_all(&page, outcome, &changes);
	changes_fini(&changes);
}

void render_text_outcome(FILE *to, const struct term *term, const struct outcome *outcome,
			 bool verbose)
{
	const struct page page = {to, term, verbose};

	if (outcome->err.kind == HP_OK)
		render_text_headline(to, term, outcome);
	render_text_details(to, term, outcome, verbose);
	put_undo(&page, outcome);
}
