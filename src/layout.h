/* SPDX-License-Identifier: MIT
 *
 * Lists and sentences that are broken where the page ends.
 */
#ifndef SRC_LAYOUT_H
#define SRC_LAYOUT_H

#include <stdbool.h>
#include <stdio.h>

#include "src/term.h"

#define LIST_INDENT 24 /* "    functions migrated  " */

struct page {
	FILE *to;
	const struct term *term;
	bool verbose;
};

/* A comma-separated list, broken at the right margin and continued below its beginning. */
struct list {
	const struct page *page;
	size_t column, count;
};

void list_add(struct list *list, const char *item);

/* A line of its own: a statement has commas of its own. On a terminal it is cut, without -v. */
void list_add_line(struct list *list, const char *item);

/* Words from `column` on, and where they end: a terminal would break within one. */
size_t put_words(const struct page *page, size_t column, const char *text);

#endif
