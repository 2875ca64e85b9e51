/* SPDX-License-Identifier: MIT
 *
 * "8 processes: 7 applied, 1 failed", and the command that takes all of it back.
 */
#include <string.h>

#include "src/render.h"

/* In the order in which they are said. */
enum way { WAY_DONE, WAY_NOTHING, WAY_FAILED, WAY_HELD_BACK, WAY_COUNT };

static enum way way_of(const struct outcome *outcome)
{
	if (outcome->err.kind == HP_HELD_BACK)
		return WAY_HELD_BACK;
	if (outcome->err.kind != HP_OK)
		return WAY_FAILED;
	return outcome->report.header.status == WIRE_STATUS_NOTHING_TO_DO ? WAY_NOTHING
									  : WAY_DONE;
}

/* "rolled-back" is for programs. */
static void put_done_word(FILE *to, const struct outcome *outcome)
{
	for (const char *at = outcome_status(outcome); *at; at++)
		fputc(*at == '-' ? ' ' : *at, to);
}

static void put_undo(FILE *to, const struct term *term, const struct outcome *outcomes,
		     size_t count)
{
	size_t shown = 0;
	char undo[64];

	for (size_t i = 0; i < count; i++) {
		if (!outcome_undo(undo, sizeof(undo), &outcomes[i]))
			continue;
		if (shown++ == 0)
			fprintf(to, "  %sundo: %s", term_style(term, STYLE_FAINT), undo);
		else
			fprintf(to, " %d", (int)outcomes[i].pid);
	}
	if (shown)
		fprintf(to, "%s\n", term_style(term, STYLE_PLAIN));
}

void render_text_summary(FILE *to, const struct term *term, const struct outcome *outcomes,
			 size_t count)
{
	static const char *const words[WAY_COUNT] = {
		[WAY_NOTHING] = "nothing to do",
		[WAY_FAILED] = "failed",
		[WAY_HELD_BACK] = "held back (--keep-going would change those that can be)",
	};
	size_t counts[WAY_COUNT] = {0};
	const struct outcome *done = NULL;
	const char *between = ": ";

	for (size_t i = 0; i < count; i++) {
		counts[way_of(&outcomes[i])]++;
		if (way_of(&outcomes[i]) == WAY_DONE)
			done = &outcomes[i];
	}
	fprintf(to, "%s%zu processes%s", term_style(term, STYLE_STRONG), count,
		term_style(term, STYLE_PLAIN));
	for (int way = 0; way < WAY_COUNT; way++) {
		if (!counts[way])
			continue;
		fprintf(to, "%s%zu ", between, counts[way]);
		if (way == WAY_DONE)
			put_done_word(to, done);
		else
			fputs(words[way], to);
		between = ", ";
	}
	fputc('\n', to);
	put_undo(to, term, outcomes, count);
}
