/* SPDX-License-Identifier: MIT
 *
 * A cursor over text of /proc: each step either consumes what it asked for, or leaves the
 * cursor where it was and says no. Never reads at or past the end.
 */
#ifndef INJECT_PROC_SCAN_H
#define INJECT_PROC_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct scan {
	const char *at, *end;
};

static inline struct scan scan_of(const char *text, size_t len)
{
	return (struct scan){text, text + len};
}

static inline bool scan_char(struct scan *s, char wanted)
{
	if (s->at == s->end || *s->at != wanted)
		return false;
	s->at++;
	return true;
}

static inline void scan_blanks(struct scan *s)
{
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\t'))
		s->at++;
}

static inline int scan_digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* An unsigned number in base 10 or 16; at least one digit, and it must fit. */
static inline bool scan_number(struct scan *s, unsigned base, uint64_t *out)
{
	const char *p = s->at;
	uint64_t value = 0;

	for (; p < s->end; p++) {
		int digit = scan_digit_value(*p);

		if (digit < 0 || (unsigned)digit >= base)
			break;
		if (value > (UINT64_MAX - (unsigned)digit) / base)
			return false;
		value = value * base + (unsigned)digit;
	}
	if (p == s->at)
		return false;
	s->at = p;
	*out = value;
	return true;
}

/* The rest of the line, without its end; the cursor moves behind the newline. False at the end.
 */
static inline bool scan_line(struct scan *s, struct scan *line)
{
	const char *newline;

	if (s->at == s->end)
		return false;
	newline = memchr(s->at, '\n', (size_t)(s->end - s->at));
	*line = (struct scan){s->at, newline ? newline : s->end};
	s->at = newline ? newline + 1 : s->end;
	return true;
}

#endif
