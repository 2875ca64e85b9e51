/* SPDX-License-Identifier: MIT
 *
 * Foreign text made fit to print: valid UTF-8, no control character, no terminal escape,
 * nothing that turns the direction of writing. What is printed was neutralized first, without
 * exception.
 */
#ifndef INJECT_REPORT_TEXT_H
#define INJECT_REPORT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* The result is at most this many times as long as the input: one byte becomes "\x1b". */
#define TEXT_GROWTH 4

enum text_shape {
	TEXT_ONE_LINE, /* newlines and tabs are control characters like others */
	TEXT_LINES,    /* newlines and tabs stay */
};

/* Write len bytes of in, neutralized and with a final NUL, to out, which has room for
 * TEXT_GROWTH * len + 1 bytes. Returns the length without the NUL. Bytes that are no UTF-8
 * become U+FFFD, dangerous characters become "\x1b", "\u202e". */
size_t text_neutralize(char *out, const char *in, size_t len, enum text_shape shape);

/* The same in memory of its own, for the caller to free; NULL when there is none left. */
char *text_neutralize_dup(const char *in, enum text_shape shape);

#endif
