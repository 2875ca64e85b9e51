/* SPDX-License-Identifier: MIT
 *
 * What the command line asks for. Everything is checked here, before any process is touched:
 * a struct options that exists is sound.
 */
#ifndef SRC_OPTIONS_H
#define SRC_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "inject/base/err.h"

enum command {
	COMMAND_ATTACH,
	COMMAND_PLAN,
	COMMAND_ROLLBACK,
	COMMAND_STATUS,
	COMMAND_FORGET,
	COMMAND_LIST,
	COMMAND_WATCH,
	COMMAND_DOCTOR,
};

enum color_mode {
	COLOR_AUTO, /* on a terminal, unless NO_COLOR is set */
	COLOR_ALWAYS,
	COLOR_NEVER,
};

/* Other ways to choose processes than by their numbers. */
enum selector_kind { SELECT_TREE, SELECT_UNIT, SELECT_MATCH };

struct selector {
	enum selector_kind kind;
	pid_t pid;        /* SELECT_TREE: the first of them */
	const char *text; /* as it was given, for people; borrowed from argv */
	char *unit;       /* SELECT_UNIT: owned; the unit's whole name, or a control group */
};

struct options {
	enum command command;
	pid_t *pids; /* owned; positive, each once, never our own */
	size_t pid_count;
	struct selector *selectors; /* owned */
	size_t selector_count;
	const char **modules; /* owned array of names borrowed from argv, each once */
	size_t module_count;
	char **paths; /* owned array of owned absolute paths */
	size_t path_count;
	int64_t timeout_ns;
	int64_t idle_ns; /* --when-idle: wait at most so long; 0: no limit of its own; -1: not
			    asked for */
	uint32_t to;     /* rollback: the attach that is to be the last one; with has_to */
	bool has_to, list;
	bool keep_going; /* each process for itself */
	bool rerun, json, quiet, verbose;
	bool no_log;         /* what was changed is not written to the system's log */
	bool on_main_thread; /* new module code runs there */
	bool force;          /* what whoever runs the process has forbidden is no obstacle */
	enum color_mode color;
};

/* What options_parse() returns when it has written a help or version text and nothing is left
 * to be done. */
#define OPTIONS_ANSWERED 1

/* Parse the command line (argv may be permuted). Help and version are written to help_to.
 * Returns 0 with *out filled, OPTIONS_ANSWERED, or -1 with HP_USAGE. */
HP_MUST_CHECK int options_parse(struct options *out, int argc, char **argv, FILE *help_to,
				struct hp_err *err);
void options_fini(struct options *options);

#endif
