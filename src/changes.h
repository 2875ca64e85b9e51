/* SPDX-License-Identifier: MIT
 *
 * A report's records by module: what both renderings walk through.
 */
#ifndef SRC_CHANGES_H
#define SRC_CHANGES_H

#include <stddef.h>

#include "inject/report/report.h"

struct module_changes {
	const char *name;                   /* borrowed from the report */
	const struct report_record *module; /* its MODULE record, or NULL */
	const struct report_record **items; /* its functions, classes, names, instances */
	size_t count;
	size_t first; /* index of its first record: modules keep the report's order */
};

struct changes {
	struct module_changes *modules;
	size_t count;
	const struct report_record **items; /* owned; the modules' items are parts of it */
};

/* Group the report's records; the report must outlive the result. Returns -1 when there is no
 * memory left. */
HP_MUST_CHECK int changes_group(struct changes *out, const struct report *report);
void changes_fini(struct changes *changes);

/* The next attach that a status or rollback tells of: *part becomes its records, borrowed, and
 * *at, which starts at 0, goes behind them. NULL at the end, else its ATTACH record. */
const struct report_record *changes_next_attach(struct report *part,
						const struct report *report, size_t *at);

/* "function", "class": the words of the JSON report; the text adds an s or two. */
const char *record_kind_name(enum wire_record_kind kind);
/* "changed", "added"; "" for WIRE_ACTION_NONE. */
const char *record_action_name(enum wire_action action);

#endif
