/* SPDX-License-Identifier: MIT
 *
 * Errors for people. The texts may hold what a target chose (a command line, a path), so each
 * is neutralized on its way out.
 */
#include "src/diag.h"

#include <string.h>

#include "inject/report/text.h"

/* sizeof the longest text in struct hp_err, grown */
#define DIAG_TEXT_MAX (TEXT_GROWTH * sizeof(((struct hp_err *)0)->text) + 1)

static void put_line(FILE *to, const char *before, const char *text)
{
	char clean[DIAG_TEXT_MAX];

	text_neutralize(clean, text, strlen(text), TEXT_ONE_LINE);
	fprintf(to, "%s%s\n", before, clean);
}

void diag_error(FILE *to, const struct term *term, const struct hp_err *err,
		const char *details)
{
	const char *hint = hp_err_hint_of(err);

	fprintf(to, "%spyhotpatch:%s ", term_style(term, STYLE_BAD),
		term_style(term, STYLE_PLAIN));
	put_line(to, "", err->text);
	if (details && details[0])
		fprintf(to, "%s%s", details, details[strlen(details) - 1] == '\n' ? "" : "\n");
	if (err->undo_text[0])
		put_line(to, "  not put back: ", err->undo_text);
	if (hint[0] && err->kind != HP_HELD_BACK) /* the other one's hint is what helps */
		put_line(to, "  hint: ", hint);
}
