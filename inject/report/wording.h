/* SPDX-License-Identifier: MIT
 *
 * The words for what the payload sends as a number and arguments (payload/wire_texts.h).
 */
#ifndef INJECT_REPORT_WORDING_H
#define INJECT_REPORT_WORDING_H

#include <stddef.h>

#include "inject/report/text.h"
#include "payload/wire.h"

/* The length of the longest of the texts. */
size_t wording_longest(void);

/* Write the text with its arguments, which are neutralized, and a final NUL to out, which has
 * room for wording_longest() + TEXT_GROWTH * strlen(arguments) + 1 bytes. Arguments that are
 * not there are empty. Returns the length without the NUL. */
size_t wording_expand(char *out, enum wire_text text, const char *arguments,
		      enum text_shape shape);

#endif
