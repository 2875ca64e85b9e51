/* SPDX-License-Identifier: MIT
 *
 * Errors for people: one sentence, what could not be put back, one hint. The only place where a
 * struct hp_err becomes text on a stream.
 */
#ifndef SRC_DIAG_H
#define SRC_DIAG_H

#include <stdio.h>

#include "inject/base/err.h"
#include "src/term.h"

/* details: lines to show between sentence and hint, such as a traceback, already neutralized;
 * may be NULL. */
void diag_error(FILE *to, const struct term *term, const struct hp_err *err,
		const char *details);

#endif
