/* SPDX-License-Identifier: MIT
 *
 * One request to every process that was named: what the commands that go into a process share.
 */
#ifndef SRC_OPERATION_H
#define SRC_OPERATION_H

#include "inject/report/report.h"
#include "src/options.h"
#include "src/outcome.h"

/* Ask each process in options->pids, print each result, and return the exit status. */
int operation_run(const struct options *options, const struct request *request);

/* Ask the one process outcome->pid, and print nothing: *outcome tells how it went. */
void operation_ask(struct outcome *outcome, const struct options *options,
		   const struct request *request);

/* What attach asks for. */
struct request operation_attach_request(const struct options *options);

#endif
