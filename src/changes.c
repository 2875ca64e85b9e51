/* SPDX-License-Identifier: MIT
 *
 * Grouping by sorting: a report can have a hundred thousand records, and the payload need not
 * give them module by module.
 */
#include "src/changes.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Records that belong below a module; frames, warnings and errors stand for themselves. */
static bool belongs_to_module(const struct report_record *record)
{
	return record->kind >= WIRE_RECORD_MODULE && record->kind <= WIRE_RECORD_STATEMENT;
}

static const char *module_of(const struct report_record *record)
{
	return record->module[0] || record->kind != WIRE_RECORD_MODULE ? record->module
								       : record->name;
}

/* Where a function that changed stands in the new source; 0 for others. */
static uint32_t line_of(const struct report_record *record)
{
	return record->kind == WIRE_RECORD_FUNCTION && record->action == WIRE_ACTION_CHANGED
		       ? record->line
		       : 0;
}

/* By module, then functions that changed as in the source and the rest as in the report: the
 * records are one array, so their addresses are the order. */
static int by_module(const void *a, const void *b)
{
	const struct report_record *const *x = a, *const *y = b;
	int order = strcmp(module_of(*x), module_of(*y));
	uint32_t i = line_of(*x), j = line_of(*y);

	if (order || i != j)
		return order ? order : (i > j) - (i < j);
	return (*x > *y) - (*x < *y);
}

static int by_first(const void *a, const void *b)
{
	const struct module_changes *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

/* Fill one module from the sorted records; the MODULE record is taken out of its items. */
static void fill_module(struct module_changes *module, const struct report_record **items,
			size_t count, const struct report *report)
{
	*module = (struct module_changes){
		.name = module_of(items[0]),
		.items = items,
		.first = (size_t)(items[0] - report->records),
	};
	for (size_t i = 0; i < count; i++) {
		size_t index = (size_t)(items[i] - report->records);

		if (index < module->first)
			module->first = index;
		if (items[i]->kind == WIRE_RECORD_MODULE && !module->module)
			module->module = items[i];
		else
			items[module->count++] = items[i];
	}
}

int changes_group(struct changes *out, const struct report *report)
{
	struct changes changes = {0};
	size_t total = 0;

	changes.items = calloc(report->count + 1, sizeof(*changes.items));
	changes.modules = calloc(report->count + 1, sizeof(*changes.modules));
	if (!changes.items || !changes.modules) {
		changes_fini(&changes);
		return -1;
	}
	for (size_t i = 0; i < report->count; i++)
		if (belongs_to_module(&report->records[i]))
			changes.items[total++] = &report->records[i];
	qsort(changes.items, total, sizeof(*changes.items), by_module);
	for (size_t from = 0, to; from < total; from = to) {
		for (to = from + 1; to < total; to++)
			if (strcmp(module_of(changes.items[from]),
				   module_of(changes.items[to])) != 0)
				break;
		fill_module(&changes.modules[changes.count++], changes.items + from, to - from,
			    report);
	}
	qsort(changes.modules, changes.count, sizeof(*changes.modules), by_first);
	*out = changes;
	return 0;
}

void changes_fini(struct changes *changes)
{
	free(changes->items);
	free(changes->modules);
	*changes = (struct changes){0};
}

const struct report_record *changes_next_attach(struct report *part,
						const struct report *report, size_t *at)
{
	const struct report_record *attach;

	while (*at < report->count && report->records[*at].kind != WIRE_RECORD_ATTACH)
		(*at)++;
	if (*at == report->count)
		return NULL;
	attach = &report->records[(*at)++];
	*part = (struct report){.header = report->header, .records = report->records + *at};
	for (; *at < report->count && report->records[*at].kind != WIRE_RECORD_ATTACH; (*at)++)
		part->count++;
	return attach;
}

const char *record_kind_name(enum wire_record_kind kind)
{
	static const char *const names[WIRE_RECORD_KIND_COUNT] = {
		[WIRE_RECORD_MODULE] = "module",       [WIRE_RECORD_FUNCTION] = "function",
		[WIRE_RECORD_CLASS] = "class",         [WIRE_RECORD_NAME] = "name",
		[WIRE_RECORD_INSTANCES] = "instances", [WIRE_RECORD_STATEMENT] = "statement",
		[WIRE_RECORD_FRAME] = "frame",         [WIRE_RECORD_WARNING] = "warning",
		[WIRE_RECORD_ERROR] = "error",         [WIRE_RECORD_ATTACH] = "attach",
	};

	return kind > 0 && kind < WIRE_RECORD_KIND_COUNT ? names[kind] : "";
}

const char *record_action_name(enum wire_action action)
{
	static const char *const names[WIRE_ACTION_COUNT] = {
		[WIRE_ACTION_NONE] = "",           [WIRE_ACTION_CHANGED] = "changed",
		[WIRE_ACTION_ADDED] = "added",     [WIRE_ACTION_REMOVED] = "removed",
		[WIRE_ACTION_KEPT] = "kept",       [WIRE_ACTION_MIGRATED] = "migrated",
		[WIRE_ACTION_SKIPPED] = "skipped", [WIRE_ACTION_REFUSED] = "refused",
		[WIRE_ACTION_LOST] = "lost",
	};

	return action < WIRE_ACTION_COUNT ? names[action] : "";
}
