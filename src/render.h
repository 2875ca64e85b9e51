/* SPDX-License-Identifier: MIT
 *
 * Results as text for people and as JSON for programs. Renderings only write: what is shown was
 * decided before.
 */
#ifndef SRC_RENDER_H
#define SRC_RENDER_H

#include <stdio.h>

#include "src/outcome.h"
#include "src/process_info.h"
#include "src/term.h"

/* The result of an attach that succeeded, for people; of one that failed, the warnings and
 * refused changes alone: its error is diag_error()'s. */
void render_text_outcome(FILE *to, const struct term *term, const struct outcome *outcome,
			 bool verbose);
/* What that shows of one that succeeded, in parts, without how to take it back. */
void render_text_headline(FILE *to, const struct term *term, const struct outcome *outcome);
void render_text_details(FILE *to, const struct term *term, const struct outcome *outcome,
			 bool verbose);
/* How it went with several processes, in one line; and how to take it back. */
void render_text_summary(FILE *to, const struct term *term, const struct outcome *outcomes,
			 size_t count);
void render_text_list(FILE *to, const struct term *term,
		      const struct process_info *const *infos, size_t count);
void render_text_doctor(FILE *to, const struct term *term, const struct process_info *info);
void render_text_machine(FILE *to, const struct term *term, const struct machine_info *info);

/* One object on one line each, as pyhotpatch(1) documents and report.schema.json defines. */
void render_json_outcome(FILE *to, const struct outcome *outcome);
void render_json_list_entry(FILE *to, const struct process_info *info);
void render_json_doctor(FILE *to, const struct process_info *info);
void render_json_machine(FILE *to, const struct machine_info *info);

#endif
