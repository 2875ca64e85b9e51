/* SPDX-License-Identifier: MIT
 *
 * How one request to one process went: the one object that the renderings show.
 *
 * The invariant: err.kind is HP_OK exactly when what was asked was done or there was nothing to
 * do, and then alone the exit status is 0.
 */
#ifndef SRC_OUTCOME_H
#define SRC_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "inject/base/err.h"
#include "inject/report/report.h"

struct outcome {
	pid_t pid;
	pid_t inner_pid;             /* as proc_inner_pid() has it */
	enum wire_command operation; /* what was asked */
	char python[32];             /* "3.12.1"; "" when it was not found out */
	char command[256];           /* the target's command line; "" likewise */
	bool has_report;
	struct report report; /* zero without has_report */
	int64_t elapsed_ns, held_ns;
	unsigned stops, unsafe_stops;
	char note[160]; /* a warning of the program's own, or "" */
	struct hp_err err;
};

/* Take a decoded reply over and judge it: fills err from its status and its records. */
void outcome_take_report(struct outcome *outcome, struct report *report);
void outcome_fini(struct outcome *outcome);

/* After outcome_take_report(): note when what was asked for by --module and --path was not
 * found, which is most likely a slip of the pen. */
void outcome_check_filters(struct outcome *outcome, size_t modules, size_t paths);

/* "attach", "rollback" */
const char *outcome_operation(const struct outcome *outcome);
/* "applied", "rolled-back", "recorded", "forgotten"; "nothing-to-do", "error" */
const char *outcome_status(const struct outcome *outcome);
/* The command that takes back what was applied; false when nothing was. */
bool outcome_undo(char *out, size_t size, const struct outcome *outcome);
int outcome_exit_status(const struct outcome *outcome);

/* The texts of the ERROR records that hold more than the sentence, as Python shows them, one
 * after the other; owned by the caller; NULL when there is none. */
char *outcome_details(const struct outcome *outcome);

/* Of two exit statuses the one that matters more: a target that may be harmed before a target
 * that died before any other failure before one that was held back because of another's before
 * none; else the earlier. */
int exit_status_worse(int earlier, int later);

#endif
