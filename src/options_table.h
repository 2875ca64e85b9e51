/* SPDX-License-Identifier: MIT
 *
 * The commands and their options as data, for options.c.
 */
#ifndef SRC_OPTIONS_TABLE_H
#define SRC_OPTIONS_TABLE_H

#include <argp.h>
#include <stdbool.h>

#include "src/options.h"

enum option_key {
	KEY_HELP = 'h',
	KEY_VERSION = 'V',
	KEY_QUIET = 'q',
	KEY_VERBOSE = 'v',
	KEY_MODULE = 'm',
	KEY_PATH = 'p',
	KEY_TIMEOUT = 't',
	KEY_JSON = 'j',
	KEY_RERUN = 0x100,
	KEY_COLOR,
	KEY_WHEN_IDLE,
	KEY_LIST,
	KEY_TO,
	KEY_NO_LOG,
	KEY_FORCE,
	KEY_ON_MAIN_THREAD,
	KEY_KEEP_GOING,
	KEY_TREE,
	KEY_UNIT,
	KEY_MATCH,
};

struct command_entry {
	const char *name, *full_name;
	enum command command;
	const struct argp *argp;
	bool takes_pids, needs_pid;
};

/* NULL when there is no such command. */
const struct command_entry *options_command_named(const char *name);

/* The program's own part of the command line. */
extern const struct argp options_program;

/* In options.c: what is done with an option or argument. */
error_t options_parse_program(int key, char *arg, struct argp_state *state);
error_t options_parse_command(int key, char *arg, struct argp_state *state);

#endif
