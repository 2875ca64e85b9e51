/* SPDX-License-Identifier: MIT
 *
 * What each command understands, and what --help says about it: one table of options for the
 * program and one for each command.
 */
#include "src/options_table.h"

#include <string.h>

/* clang-format off */
#define TIMEOUT_OPTION                                                                           \
	{"timeout", KEY_TIMEOUT, "SECONDS", 0, "Give up, with nothing changed, after so long (default 30; fractions allowed)", 1}

#define FORCE_OPTION                                                                             \
	{"force", KEY_FORCE, NULL, 0, "Pass over what whoever runs the process has forbidden (remote-debug-off)", 1}

#define NO_LOG_OPTION                                                                            \
	{"no-log", KEY_NO_LOG, NULL, 0, "Write nothing to the system's log", 1}

#define KEEP_GOING_OPTION                                                                        \
	{"keep-going", KEY_KEEP_GOING, NULL, 0, "Of several processes, change those that can be changed", 2}

#define SELECT_OPTIONS                                                                           \
	{"tree", KEY_TREE, "PID", 0, "The process PID and its descendants, those that are Pythons (may be repeated)", 2}, \
	{"unit", KEY_UNIT, "NAME", 0, "The Python processes of a systemd unit", 2},              \
	{"match", KEY_MATCH, "PATTERN", 0, "The Python processes whose command line has the regular expression PATTERN", 2}

#define COMMON_OPTIONS                                                                           \
	{"json", KEY_JSON, NULL, 0, "One JSON object per process, one a line, and nothing else", 8}, \
	{"verbose", KEY_VERBOSE, NULL, 0, "Say more", 8},                                        \
	{"quiet", KEY_QUIET, NULL, 0, "Say nothing but errors", 8},                              \
	{"color", KEY_COLOR, "WHEN", 0, "auto (a terminal, unless NO_COLOR is set), always or never", 8}, \
	{"help", KEY_HELP, NULL, 0, "Show this text", 9},                                        \
	{"version", KEY_VERSION, NULL, 0, "Show the version", 9}

static const struct argp_option common_options[] = {COMMON_OPTIONS, {0}};

static const struct argp_option attach_options[] = {
	{"module", KEY_MODULE, "NAME", 0, "Consider only the module NAME (may be repeated)", 1},
	{"path", KEY_PATH, "PREFIX", 0, "Consider only modules whose file is PREFIX or below it (may be repeated)", 1},
	TIMEOUT_OPTION, FORCE_OPTION,
	{"when-idle", KEY_WHEN_IDLE, "SECONDS", OPTION_ARG_OPTIONAL, "Wait, at most so long, until nobody runs what is to change", 1},
	{"rerun", KEY_RERUN, NULL, 0, "Run the whole body of each changed module again", 1},
	{"on-main-thread", KEY_ON_MAIN_THREAD, NULL, 0, "Run new module code on the program's main thread", 1},
	NO_LOG_OPTION, KEEP_GOING_OPTION, SELECT_OPTIONS, COMMON_OPTIONS, {0}};

static const struct argp_option rollback_options[] = {
	{"list", KEY_LIST, NULL, 0, "Show the attaches that can be taken back, and take none back", 1},
	{"to", KEY_TO, "N", 0, "Take back every attach after number N (0: all of them)", 1},
	TIMEOUT_OPTION, FORCE_OPTION, NO_LOG_OPTION, KEEP_GOING_OPTION, SELECT_OPTIONS, COMMON_OPTIONS, {0}};

static const struct argp_option short_options[] = {TIMEOUT_OPTION, FORCE_OPTION, SELECT_OPTIONS, COMMON_OPTIONS, {0}};

static const struct argp_option doctor_options[] = {SELECT_OPTIONS, COMMON_OPTIONS, {0}};
/* clang-format on */

const struct argp options_program = {
	common_options,
	options_parse_program,
	"COMMAND [ARGUMENT...]",
	"Fix a live Python program without restarting it."
	"\v"
	"Commands:\n"
	"  attach PID...    apply what changed on disk\n"
	"  plan PID...      what attach would do; nothing runs, nothing is changed\n"
	"  rollback PID...  take the last attach back\n"
	"  status PID...    what was applied, when, and who still runs old code\n"
	"  forget PID...    remove what attaches left in the process\n"
	"  watch PID...     attach each time a source file changes, until ^C\n"
	"  list             the Python processes here\n"
	"  doctor [PID...]  can I attach, and if not, why; touches nothing\n"
	"\n"
	"pyhotpatch COMMAND --help tells more; the manual is pyhotpatch(1).",
	NULL,
	NULL,
	NULL,
};

static const struct argp attach_argp = {
	attach_options,
	options_parse_command,
	"PID...",
	"Apply to each process what changed in the source files of its modules since they were "
	"imported: functions, methods and classes take their new definition in place, everything "
	"or nothing, in all of the processes or in none."
	"\v"
	"The exit status is 0 when the changes were applied or there were none; otherwise nothing "
	"was changed, and the status says why (see pyhotpatch(1)).",
	NULL,
	NULL,
	NULL,
};

static const struct argp plan_argp = {
	attach_options,
	options_parse_command,
	"PID...",
	"Say what attach would do: what would be applied, which state would be kept or lost, what "
	"stands in the way, which frames would go on in old code. New source is compiled in the "
	"process and compared; nothing of it runs, and nothing is changed."
	"\v"
	"The exit status is 0 when attach would apply something or has nothing to do, as far as "
	"can be told without running new code.",
	NULL,
	NULL,
	NULL,
};

static const struct argp rollback_argp = {
	rollback_options,
	options_parse_command,
	"PID...",
	"Take the last attach to each process back: what it replaced is there again, and what is "
	"on disk would be applied again by the next attach. Refused, with nothing changed, when "
	"the program has since changed what the attach wrote.",
	NULL,
	NULL,
	NULL,
};

static const struct argp status_argp = {
	short_options,
	options_parse_command,
	"PID...",
	"Say what was applied to each process, when and from which files, the last attach first; "
	"and which frames still run old code.",
	NULL,
	NULL,
	NULL,
};

static const struct argp forget_argp = {
	short_options,
	options_parse_command,
	"PID...",
	"Remove what attaches left in each process: what its modules ran, and the records that "
	"rollback needs. What was applied stays applied.",
	NULL,
	NULL,
	NULL,
};

static const struct argp watch_argp = {
	attach_options,
	options_parse_command,
	"PID...",
	"Attach to each process now, and again each time a source file of one of its modules "
	"changes. What cannot be applied is shown and is not the end; that is ^C, or the end of "
	"all processes.",
	NULL,
	NULL,
	NULL,
};

static const struct argp list_argp = {
	common_options,
	options_parse_command,
	"",
	"Show the Python processes of this machine, and whether they can be attached to.",
	NULL,
	NULL,
	NULL,
};

static const struct argp doctor_argp = {
	doctor_options,
	options_parse_command,
	"[PID...]",
	"Say what stands in the way of an attach, and what to do about it. Nothing is touched. "
	"Without a PID: what this machine allows.",
	NULL,
	NULL,
	NULL,
};

static const struct command_entry commands[] = {
	{"attach", "pyhotpatch attach", COMMAND_ATTACH, &attach_argp, true, true},
	{"plan", "pyhotpatch plan", COMMAND_PLAN, &plan_argp, true, true},
	{"rollback", "pyhotpatch rollback", COMMAND_ROLLBACK, &rollback_argp, true, true},
	{"status", "pyhotpatch status", COMMAND_STATUS, &status_argp, true, true},
	{"forget", "pyhotpatch forget", COMMAND_FORGET, &forget_argp, true, true},
	{"watch", "pyhotpatch watch", COMMAND_WATCH, &watch_argp, true, true},
	{"list", "pyhotpatch list", COMMAND_LIST, &list_argp, false, false},
	{"doctor", "pyhotpatch doctor", COMMAND_DOCTOR, &doctor_argp, true, false},
};

const struct command_entry *options_command_named(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}
