/* SPDX-License-Identifier: MIT
 *
 * One pass over foreign bytes. The invariant: what is written is valid UTF-8 without any
 * character that a terminal acts upon, and at most TEXT_GROWTH times as long as what was read.
 */
#include "inject/report/text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What may follow a lead byte, as in table 3-7 of the Unicode standard: overlong forms,
 * surrogates and everything above U+10FFFF are excluded by the range of the second byte. */
static const struct lead {
	uint8_t first, last, length, second_low, second_high;
} leads[] = {
	{0xc2, 0xdf, 2, 0x80, 0xbf}, {0xe0, 0xe0, 3, 0xa0, 0xbf}, {0xe1, 0xec, 3, 0x80, 0xbf},
	{0xed, 0xed, 3, 0x80, 0x9f}, {0xee, 0xef, 3, 0x80, 0xbf}, {0xf0, 0xf0, 4, 0x90, 0xbf},
	{0xf1, 0xf3, 4, 0x80, 0xbf}, {0xf4, 0xf4, 4, 0x80, 0x8f},
};

static const struct lead *lead_of(uint8_t byte)
{
	for (size_t i = 0; i < sizeof(leads) / sizeof(leads[0]); i++)
		if (byte >= leads[i].first && byte <= leads[i].last)
			return &leads[i];
	return NULL;
}

/* The character at s (len > 0) and its length; 0 when there is no valid one. */
static size_t utf8_decode(uint32_t *out, const uint8_t *s, size_t len)
{
	const struct lead *lead;
	uint32_t character;

	if (s[0] < 0x80) {
		*out = s[0];
		return 1;
	}
	lead = lead_of(s[0]);
	if (!lead || len < lead->length || s[1] < lead->second_low || s[1] > lead->second_high)
		return 0;
	character = s[0] & (0x7fu >> lead->length);
	for (size_t i = 1; i < lead->length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		character = character << 6 | (s[i] & 0x3f);
	}
	*out = character;
	return lead->length;
}

/* C0, DEL, C1; line and paragraph separators; bidirectional controls, with which a line can
 * read otherwise than it is; the byte order mark, interlinear marks and tag characters. */
static bool is_dangerous(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{0x00, 0x1f},     {0x7f, 0x9f},     {0x61c, 0x61c},
		{0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069},
		{0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return false;
}

static size_t put_escape(char *out, uint32_t character)
{
	char escape[16];
	int len;

	if (character < 0x100)
		len = snprintf(escape, sizeof(escape), "\\x%02x", character);
	else if (character < 0x10000)
		len = snprintf(escape, sizeof(escape), "\\u%04x", character);
	else
		len = snprintf(escape, sizeof(escape), "\\U%08x", character);
	memcpy(out, escape, (size_t)len);
	return (size_t)len;
}

size_t text_neutralize(char *out, const char *in, size_t len, enum text_shape shape)
{
	const uint8_t *s = (const uint8_t *)in;
	size_t at = 0, used = 0;

	while (at < len) {
		uint32_t character;
		size_t taken = utf8_decode(&character, s + at, len - at);

		if (!taken) {
			memcpy(out + used, "\xef\xbf\xbd", 3);
			used += 3;
			at++;
			continue;
		}
		bool stays = shape == TEXT_LINES && (character == '\n' || character == '\t');
		if (is_dangerous(character) && !stays) {
			used += put_escape(out + used, character);
		} else {
			memcpy(out + used, s + at, taken);
			used += taken;
		}
		at += taken;
	}
	out[used] = '\0';
	return used;
}

char *text_neutralize_dup(const char *in, enum text_shape shape)
{
	size_t len = strlen(in);
	char *out = malloc(TEXT_GROWTH * len + 1);

	if (out)
		text_neutralize(out, in, len, shape);
	return out;
}
