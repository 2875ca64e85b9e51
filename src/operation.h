/* SPDX-License-Identifier: MIT
 *
 * One request to every process that was named: what the commands that go into a process share.
 */
#ifndef SRC_OPERATION_H
#define SRC_OPERATION_H

#include "inject/report/report.h"
#include "src/options.h"

/* Ask each process in options->pids, print each result, and return the exit status. */
int operation_run(const struct options *options, const struct request *request);

#endif
