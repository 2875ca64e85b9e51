/* SPDX-License-Identifier: MIT
 *
 * What the place that is written to can show: a terminal, colours, how wide; and the progress
 * line.
 */
#ifndef SRC_TERM_H
#define SRC_TERM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "src/options.h"

struct term {
	bool is_tty, color;
	unsigned columns;
};

enum term_style {
	STYLE_PLAIN,
	STYLE_GOOD,
	STYLE_BAD,
	STYLE_WARNING,
	STYLE_STRONG,
	STYLE_FAINT,
	STYLE_COUNT
};

struct term term_of(FILE *file, enum color_mode mode);

/* The escape that begins a style, or "" without colour; STYLE_PLAIN ends all. */
const char *term_style(const struct term *term, enum term_style style);

/* How many columns a neutralized text takes (characters, not bytes). */
size_t term_width(const char *text);

/* "0.21 ms", "5.1 ms", "230 ms", "12.3 s" */
const char *term_duration(char *out, size_t size, int64_t ns);

/* One line on a terminal, rewritten while something is waited for. */
struct progress {
	FILE *to; /* NULL: show nothing */
	pid_t pid;
	bool is_shown;
};

/* For session_options.progress; context is a struct progress. Shows nothing in the first
 * moments: most attaches end before anybody could read it. */
void progress_update(void *context, unsigned phase, int64_t waited_ns);
/* Wipe the line; before anything else is printed. */
void progress_end(struct progress *progress);

#endif
