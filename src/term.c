/* SPDX-License-Identifier: MIT
 *
 * Terminals, without a library: four SGR colours and "erase line" are understood by all of
 * them.
 */
#include "src/term.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "payload/wire.h"

#define COLUMNS_DEFAULT   80u
#define COLUMNS_MIN       40u
#define PROGRESS_AFTER_NS 400000000
#define PROGRESS_ERASE    "\r\x1b[K"

static bool wants_color(enum color_mode mode, bool is_tty)
{
	const char *no_color = getenv("NO_COLOR"), *name = getenv("TERM");

	if (mode != COLOR_AUTO)
		return mode == COLOR_ALWAYS;
	if (no_color && no_color[0]) /* no-color.org: present and not empty */
		return false;
	return is_tty && (!name || strcmp(name, "dumb") != 0);
}

static unsigned columns_of(int fd, bool is_tty)
{
	struct winsize size;

	if (!is_tty || ioctl(fd, TIOCGWINSZ, &size) < 0 || !size.ws_col)
		return COLUMNS_DEFAULT;
	return size.ws_col < COLUMNS_MIN ? COLUMNS_MIN : size.ws_col;
}

struct term term_of(FILE *file, enum color_mode mode)
{
	int fd = fileno(file);
	struct term term = {.is_tty = fd >= 0 && isatty(fd)};

	term.color = wants_color(mode, term.is_tty);
	term.columns = columns_of(fd, term.is_tty);
	return term;
}

const char *term_style(const struct term *term, enum term_style style)
{
	static const char *const escapes[STYLE_COUNT] = {
		[STYLE_PLAIN] = "\x1b[0m",  [STYLE_GOOD] = "\x1b[32m",
		[STYLE_BAD] = "\x1b[31m",   [STYLE_WARNING] = "\x1b[33m",
		[STYLE_STRONG] = "\x1b[1m", [STYLE_FAINT] = "\x1b[2m",
	};

	return term->color ? escapes[style] : "";
}

size_t term_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

const char *term_duration(char *out, size_t size, int64_t ns)
{
	double ms = (double)ns / 1e6;

	if (ms < 1)
		snprintf(out, size, "%.2f ms", ms);
	else if (ms < 99.95)
		snprintf(out, size, "%.1f ms", ms);
	else if (ms < 9999.5)
		snprintf(out, size, "%.0f ms", ms);
	else
		snprintf(out, size, "%.1f s", ms / 1e3);
	return out;
}

void progress_update(void *context, unsigned phase, int64_t waited_ns)
{
	static const char *const texts[] = {
		[WIRE_PHASE_NONE] = "waiting for a moment at which it can be entered",
		[WIRE_PHASE_GIL] = "waiting for the GIL",
		[WIRE_PHASE_TURN] = "waiting for another attach to end",
		[WIRE_PHASE_SELECT] = "looking for changed modules",
		[WIRE_PHASE_COMPILE] = "compiling",
		[WIRE_PHASE_SHADOW] = "running new module code",
		[WIRE_PHASE_PLAN] = "planning",
		[WIRE_PHASE_COMMIT] = "applying",
		[WIRE_PHASE_REPORT] = "writing the report",
		[WIRE_PHASE_LEAVING] = "leaving",
		[WIRE_PHASE_TOGETHER] = "waiting for the other processes",
		[WIRE_PHASE_MAIN] = "waiting for the main thread",
		[WIRE_PHASE_IDLE] = "waiting until nobody runs what is to change",
	};
	struct progress *progress = context;

	if (!progress->to || waited_ns < PROGRESS_AFTER_NS)
		return;
	fprintf(progress->to, PROGRESS_ERASE "process %d: %s, %.1f s", (int)progress->pid,
		phase < sizeof(texts) / sizeof(texts[0]) ? texts[phase] : "waiting",
		(double)waited_ns / 1e9);
	fflush(progress->to);
	progress->is_shown = true;
}

void progress_end(struct progress *progress)
{
	if (!progress->is_shown)
		return;
	fputs(PROGRESS_ERASE, progress->to);
	fflush(progress->to);
	progress->is_shown = false;
}
