/* SPDX-License-Identifier: MIT
 *
 * The invariant: what is no terminal gets sentences and statements in one piece, so that they
 * can be searched for.
 */
#include "src/layout.h"

#include <string.h>

#define SENTENCE_INDENT 6

void list_add(struct list *list, const char *item)
{
	size_t width = term_width(item);

	if (list->count) {
		fputc(',', list->page->to);
		/* one column is left for the comma that may follow */
		if (list->column + 2 + width + 1 > list->page->term->columns) {
			fprintf(list->page->to, "\n%*s", LIST_INDENT, "");
			list->column = LIST_INDENT;
		} else {
			fputc(' ', list->page->to);
			list->column += 2;
		}
	}
	fputs(item, list->page->to);
	list->column += width;
	list->count++;
}

/* The bytes of the first so many characters. */
static size_t bytes_of(const char *text, size_t characters)
{
	size_t i = 0;

	for (; text[i] && characters; characters--)
		do
			i++;
		while (((unsigned char)text[i] & 0xc0) == 0x80);
	return i;
}

void list_add_line(struct list *list, const char *item)
{
	const struct page *page = list->page;
	size_t room =
		page->term->columns > LIST_INDENT + 10 ? page->term->columns - LIST_INDENT : 10;

	if (list->count++)
		fprintf(page->to, "\n%*s", LIST_INDENT, "");
	if (page->term->is_tty && !page->verbose && term_width(item) > room)
		fprintf(page->to, "%.*s...", (int)bytes_of(item, room - 3), item);
	else
		fputs(item, page->to);
}

/* The next word of a sentence, with the blank before it. */
static size_t word_length(const char *text)
{
	return *text ? 1 + strcspn(text + 1, " ") : 0;
}

static size_t width_of(const char *text, size_t length)
{
	size_t width = 0;

	for (size_t i = 0; i < length; i++)
		width += ((unsigned char)text[i] & 0xc0) != 0x80;
	return width;
}

size_t put_words(const struct page *page, size_t column, const char *text)
{
	for (size_t length; (length = word_length(text)); text += length) {
		size_t width = width_of(text, length);

		if (page->term->is_tty && *text == ' ' &&
		    column + width > page->term->columns) {
			fprintf(page->to, "\n%*s", SENTENCE_INDENT, "");
			column = SENTENCE_INDENT;
			text++;
			length--;
			width--;
		}
		fprintf(page->to, "%.*s", (int)length, text);
		column += width;
	}
	return column;
}
