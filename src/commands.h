/* SPDX-License-Identifier: MIT
 *
 * The commands. Each prints its result on stdout and its errors on stderr, and returns the exit
 * status.
 */
#ifndef SRC_COMMANDS_H
#define SRC_COMMANDS_H

#include "src/options.h"

int cmd_attach(const struct options *options);
int cmd_plan(const struct options *options);
int cmd_rollback(const struct options *options);
int cmd_status(const struct options *options);
int cmd_forget(const struct options *options);
int cmd_watch(const struct options *options);
int cmd_list(const struct options *options);
int cmd_doctor(const struct options *options);

#endif
