/* SPDX-License-Identifier: MIT
 *
 * One request to every process that was named: what the commands that go into a process share.
 */
#ifndef SRC_OPERATION_H
#define SRC_OPERATION_H

#include "inject/report/report.h"
#include "src/group.h"
#include "src/options.h"
#include "src/outcome.h"
#include "src/selection.h"

/* Ask each process in options->pids, print each result, and return the exit status. Several
 * that are to be changed are one operation, unless options->keep_going. */
int operation_run(const struct options *options, const struct request *request);

/* Ask the one process outcome->pid, and print nothing: *outcome tells how it went. */
void operation_ask(struct outcome *outcome, const struct options *options,
		   const struct request *request);

/* The same for those processes, printing nothing. -1: no outcome tells anything. */
HP_MUST_CHECK int operation_ask_all(struct outcomes *out, const struct options *options,
				    const struct request *request,
				    const struct selection *chosen, struct hp_err *err);

/* What attach asks for. */
struct request operation_attach_request(const struct options *options);

#endif
