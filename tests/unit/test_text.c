/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/report/text.h"

static const struct {
	const char *in;
	enum text_shape shape;
	const char *out;
} cases[] = {
	{"", TEXT_ONE_LINE, ""},
	{"plain ASCII ~", TEXT_ONE_LINE, "plain ASCII ~"},
	{"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x8d", TEXT_ONE_LINE,
	 "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x8d"},
	{"\x1b[31mred", TEXT_LINES, "\\x1b[31mred"},
	{"a\tb\nc", TEXT_LINES, "a\tb\nc"},
	{"a\tb\nc\r", TEXT_ONE_LINE, "a\\x09b\\x0ac\\x0d"},
	{"\r", TEXT_LINES, "\\x0d"},
	{"\x7f", TEXT_LINES, "\\x7f"},
	/* C1: a terminal may take U+009B for "escape [" */
	{"\xc2\x9b"
	 "31m",
	 TEXT_LINES, "\\x9b31m"},
	{"\x9b"
	 "31m",
	 TEXT_LINES,
	 "\xef\xbf\xbd"
	 "31m"},
	/* bidirectional override, line separator, byte order mark, tag character */
	{"x\xe2\x80\xaey", TEXT_LINES, "x\\u202ey"},
	{"\xe2\x80\xa8", TEXT_LINES, "\\u2028"},
	{"\xef\xbb\xbf", TEXT_LINES, "\\ufeff"},
	{"\xf3\xa0\x80\x81", TEXT_LINES, "\\U000e0001"},
	/* no UTF-8: overlong, surrogate, above U+10FFFF, cut off, stray continuation */
	{"\xc0\xaf", TEXT_LINES, "\xef\xbf\xbd\xef\xbf\xbd"},
	{"\xe0\x80\x9b", TEXT_LINES, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
	{"\xed\xb2\x80", TEXT_LINES, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
	{"\xf4\x90\x80\x80", TEXT_LINES, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
	{"a\xe2\x82", TEXT_LINES, "a\xef\xbf\xbd\xef\xbf\xbd"},
	{"\xe2\x28\xa1", TEXT_LINES, "\xef\xbf\xbd(\xef\xbf\xbd"},
};

Test(text, dangerous_characters_become_visible_and_others_stay)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *got = text_neutralize_dup(cases[i].in, cases[i].shape);

		cr_assert(eq(str, got, cases[i].out), "case %zu", i);
		free(got);
	}
}

Test(text, length_is_told_and_nul_bytes_are_shown)
{
	char out[TEXT_GROWTH * 3 + 1];

	cr_assert(eq(sz, text_neutralize(out, "a\0b", 3, TEXT_LINES), 6));
	cr_assert(eq(str, out, "a\\x00b"));
}

/* Every two-byte input keeps the promises that everybody who prints relies on. */
Test(text, no_control_byte_survives_and_growth_is_bounded)
{
	for (unsigned pair = 0; pair < 0x10000; pair++) {
		char in[2] = {(char)(pair >> 8), (char)pair}, out[TEXT_GROWTH * 2 + 1],
		     again[64];
		size_t len = text_neutralize(out, in, 2, TEXT_ONE_LINE);

		cr_assert(len <= TEXT_GROWTH * 2);
		cr_assert(eq(sz, strlen(out), len));
		for (size_t i = 0; i < len; i++)
			cr_assert(out[i] != 0x7f && (unsigned char)out[i] >= 0x20);
		text_neutralize(again, out, len, TEXT_ONE_LINE);
		cr_assert(eq(str, again, out), "not stable for %04x", pair);
	}
}
