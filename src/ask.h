/* SPDX-License-Identifier: MIT
 *
 * One request, and what it takes to put it to one process: describing it, the answer judged.
 * Prints nothing but the progress line.
 */
#ifndef SRC_ASK_H
#define SRC_ASK_H

#include "inject/report/report.h"
#include "inject/session/session.h"
#include "src/options.h"
#include "src/outcome.h"
#include "src/term.h"

struct ask {
	const struct options *options; /* borrowed */
	enum wire_command command;
	bool is_together; /* as the request says: to be put to several, of which all are changed
			     or none; for group_serve() */
	char *payload_path; /* owned, like the next */
	uint8_t *request;
	size_t request_len;
};

HP_MUST_CHECK int ask_init(struct ask *out, const struct options *options,
			   const struct request *request, struct hp_err *err);
void ask_fini(struct ask *ask);

/* The whole of it, for outcome->pid. */
void ask_process(const struct ask *ask, struct outcome *outcome);

/* ---- the steps of it, which fill outcome->err when they fail ---- */

/* Waits while another pyhotpatch has a thread of it. */
HP_MUST_CHECK int ask_describe(struct target *out, const struct ask *ask,
			       struct outcome *outcome);
/* `progress` is borrowed: its line tells of progress->pid. */
struct session_options ask_session_options(const struct ask *ask, struct progress *progress);
struct span ask_request(const struct ask *ask);
/* Takes the result over. -1: what was asked for was not done. */
HP_MUST_CHECK int ask_judge(struct outcome *outcome, const struct ask *ask,
			    struct session_result *result);
/* After all, once: says which process the error is about, and writes the log. */
void ask_conclude(struct outcome *outcome, const struct ask *ask);

#endif
