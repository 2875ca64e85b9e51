/* SPDX-License-Identifier: MIT
 *
 * See newcomers.h. What cannot be found out is not told: the operation itself went as it did.
 */
#include "src/newcomers.h"

#include <stdio.h>

#include "inject/target/target.h"

void newcomers_find(struct selection *out, const struct options *options)
{
	struct hp_err ignored;

	*out = (struct selection){0};
	if (options->selector_count && selection_make(out, options, &ignored) < 0)
		*out = (struct selection){0};
}

void newcomers_begin(struct newcomers *out)
{
	struct hp_err ignored;

	*out = (struct newcomers){0};
	if (family_read(&out->before, &ignored) < 0)
		out->before = (struct family){0};
}

void newcomers_fini(struct newcomers *newcomers)
{
	family_fini(&newcomers->before);
}

static struct outcome *outcome_of(struct outcome *outcomes, size_t count, pid_t pid)
{
	for (size_t i = 0; i < count; i++)
		if (outcomes[i].pid == pid)
			return &outcomes[i];
	return NULL;
}

static bool was_changed(const struct outcome *outcome)
{
	return outcome->has_report && (outcome->report.header.status == WIRE_STATUS_APPLIED ||
				       outcome->report.header.status == WIRE_STATUS_REVOKED);
}

static void note_child(struct outcome *parent, pid_t pid)
{
	const bool stays = parent->err.kind == HP_OK;

	if (!parent->note[0])
		snprintf(parent->note, sizeof(parent->note),
			 "process %d was forked from it meanwhile, and may run %s", (int)pid,
			 stays ? "the old code" : "what was taken back");
}

void newcomers_note(const struct newcomers *newcomers, struct outcome *outcomes, size_t count)
{
	struct hp_err ignored;
	struct family now;

	if (!newcomers->before.count || family_read(&now, &ignored) < 0)
		return;
	for (size_t i = 0; i < now.count; i++) {
		const struct kin *child = &now.items[i];
		struct outcome *parent = outcome_of(outcomes, count, child->parent);

		if (parent && was_changed(parent) && !outcome_of(outcomes, count, child->pid) &&
		    !family_has(&newcomers->before, child->pid) &&
		    target_has_python(child->pid))
			note_child(parent, child->pid);
	}
	family_fini(&now);
}
