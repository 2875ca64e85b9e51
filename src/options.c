/* SPDX-License-Identifier: MIT
 *
 * The command line, by argp; the tables are in options_table.c. argp is told to print and to
 * exit never (ARGP_NO_ERRS, ARGP_NO_EXIT), so that a mistake becomes a struct hp_err like every
 * other one.
 */
#include "src/options.h"

#include <argp.h>
#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inject/base/cleanup.h"
#include "inject/base/deadline.h"
#include "src/options_table.h"

#define TIMEOUT_DEFAULT_NS (30 * (int64_t)1000000000)
#define TIMEOUT_MAX_S      86400.0

/* One parse, of the program's part or of a command's. */
struct parse {
	struct options *options;
	const struct argp *argp;
	const struct command_entry *entry; /* NULL before the command */
	const char *name;                  /* "pyhotpatch attach", for the help */
	FILE *help_to;
	struct hp_err *err;
	bool failed, answered;
};

#define FAIL(parse, ...)                                                                       \
	((parse)->failed = true, (void)hp_err_set((parse)->err, HP_USAGE, 0, __VA_ARGS__),     \
	 EINVAL)

/* A pid as people and ps write it: no sign, no blank, no leading zero. */
static error_t read_pid(pid_t *out, struct parse *parse, const char *arg)
{
	size_t digits = strspn(arg, "0123456789");
	long long value;

	if (!digits || arg[digits] || arg[0] == '0')
		return FAIL(parse, "'%s' is not a process id", arg);
	errno = 0;
	value = strtoll(arg, NULL, 10);
	if (errno || value > INT32_MAX)
		return FAIL(parse, "'%s' is too large for a process id", arg);
	if (value == getpid())
		return FAIL(parse, "process %lld is pyhotpatch itself", value);
	*out = (pid_t)value;
	return 0;
}

static error_t add_pid(struct parse *parse, const char *arg)
{
	struct options *options = parse->options;
	pid_t pid;

	if (read_pid(&pid, parse, arg))
		return EINVAL;
	for (size_t i = 0; i < options->pid_count; i++)
		if (options->pids[i] == pid)
			return FAIL(parse, "process %d is named twice", (int)pid);
	options->pids[options->pid_count++] = pid;
	return 0;
}

static error_t add_tree(struct parse *parse, const char *arg)
{
	struct options *options = parse->options;
	struct selector selector = {.kind = SELECT_TREE, .text = arg};

	if (read_pid(&selector.pid, parse, arg))
		return EINVAL;
	options->selectors[options->selector_count++] = selector;
	return 0;
}

/* systemctl takes "shop" for "shop.service", too. */
static error_t add_unit(struct parse *parse, const char *arg)
{
	struct options *options = parse->options;
	bool is_whole = arg[0] == '/' || strchr(arg, '.');
	struct selector selector = {.kind = SELECT_UNIT, .text = arg};

	if (!arg[0] || (arg[0] != '/' && strchr(arg, '/')))
		return FAIL(parse, "'%s' is not the name of a unit (such as shop.service)",
			    arg);
	if (asprintf(&selector.unit, "%s%s", arg, is_whole ? "" : ".service") < 0)
		return FAIL(parse, "no memory left");
	options->selectors[options->selector_count++] = selector;
	return 0;
}

static error_t add_match(struct parse *parse, const char *arg)
{
	struct options *options = parse->options;
	regex_t compiled;
	char why[128];
	int error;

	if (!arg[0])
		return FAIL(parse, "--match needs a pattern");
	error = regcomp(&compiled, arg, REG_EXTENDED | REG_NOSUB);
	if (error) {
		regerror(error, &compiled, why, sizeof(why));
		return FAIL(parse, "'%s' is not a regular expression: %s", arg, why);
	}
	regfree(&compiled);
	options->selectors[options->selector_count++] =
		(struct selector){.kind = SELECT_MATCH, .text = arg};
	return 0;
}

static error_t read_seconds(int64_t *out_ns, struct parse *parse, const char *what,
			    const char *arg)
{
	char *end;
	double seconds;

	/* strtod alone would take "inf", "0x1p3" and blanks, too */
	if (!arg[0] || arg[strspn(arg, "0123456789.")])
		return FAIL(parse, "'%s' is not a number of seconds", arg);
	seconds = strtod(arg, &end);
	if (*end || end == arg)
		return FAIL(parse, "'%s' is not a number of seconds", arg);
	if (seconds < 0.001 || seconds > TIMEOUT_MAX_S)
		return FAIL(parse, "%s of %s seconds is not between 0.001 and 86400", what,
			    arg);
	*out_ns = (int64_t)(seconds * 1e9);
	return 0;
}

static error_t set_when_idle(struct parse *parse, const char *arg)
{
	parse->options->idle_ns = 0;
	return arg ? read_seconds(&parse->options->idle_ns, parse, "a wait", arg) : 0;
}

/* An attach as status numbers it; 0 is before the first. */
static error_t set_to(struct parse *parse, const char *arg)
{
	size_t digits = strspn(arg, "0123456789");

	if (!digits || arg[digits] || digits > 9)
		return FAIL(parse, "'%s' is not the number of an attach", arg);
	parse->options->to = (uint32_t)strtoul(arg, NULL, 10);
	parse->options->has_to = true;
	return 0;
}

static error_t set_color(struct parse *parse, const char *arg)
{
	static const char *const names[] = {"auto", "always", "never"};

	for (unsigned i = 0; i < 3; i++) {
		if (!strcmp(arg, names[i])) {
			parse->options->color = (enum color_mode)i;
			return 0;
		}
	}
	return FAIL(parse, "--color takes auto, always or never, not '%s'", arg);
}

/* A dotted name; anything else can be no module's and is most likely a file name. */
static error_t add_module(struct parse *parse, const char *arg)
{
	size_t len = strlen(arg);
	bool is_name = len && arg[0] != '.' && arg[len - 1] != '.' && !strstr(arg, "..");

	for (size_t i = 0; i < len && is_name; i++)
		is_name = (unsigned char)arg[i] > ' ' && !strchr("/\\'\"()[]{}:;,\x7f", arg[i]);
	if (!is_name)
		return FAIL(parse, "'%s' is not the name of a module (such as shop.cart)", arg);
	if (len > 3 && !strcmp(arg + len - 3, ".py"))
		return FAIL(parse, "'%s' is a file; --module takes a name such as shop.cart",
			    arg);
	for (size_t i = 0; i < parse->options->module_count; i++)
		if (!strcmp(parse->options->modules[i], arg))
			return 0;
	parse->options->modules[parse->options->module_count++] = arg;
	return 0;
}

/* The process may run elsewhere, so the path is made absolute here. It is not resolved: below
 * another root, or through a link that is about to be switched, it means what is there. */
static error_t add_path(struct parse *parse, const char *arg)
{
	_cleanup_free_ char *folder = arg[0] == '/' ? strdup("") : getcwd(NULL, 0);
	char *path;

	if (!arg[0])
		return FAIL(parse, "--path needs a file or folder");
	while (!strncmp(arg, "./", 2))
		arg += 2;
	if (!folder || asprintf(&path, "%s%s%s", folder, arg[0] == '/' ? "" : "/", arg) < 0)
		return FAIL(parse, "'%s' cannot be made an absolute path", arg);
	parse->options->paths[parse->options->path_count++] = path;
	return 0;
}

/* argp says only that something was wrong with the option before argv[next]; find out what. */
static error_t explain_bad_option(struct parse *parse, const struct argp_state *state)
{
	const char *word = state->next > 1 ? state->argv[state->next - 1] : "";
	size_t len;

	/* getopt has not stepped over a bundle of short options that it did not finish */
	if (word[0] != '-' && state->next < state->argc)
		word = state->argv[state->next];
	len = strcspn(word, "=");
	for (const struct argp_option *o = parse->argp->options; o->name; o++) {
		bool is_long = len > 2 && !strncmp(word, "--", 2) &&
			       strlen(o->name) == len - 2 &&
			       !strncmp(word + 2, o->name, len - 2);
		bool is_short = word[0] == '-' && word[1] == o->key && !word[2];

		if ((is_long || is_short) && o->arg && !word[len])
			return FAIL(parse, "option '%s' needs a value", word);
		if (is_long && !o->arg && word[len])
			return FAIL(parse, "option '--%s' takes no value", o->name);
	}
	return FAIL(parse, "unknown option '%s'", word);
}

static error_t answer(struct parse *parse, int key)
{
	char name[64];

	if (key == KEY_VERSION) {
		fputs("pyhotpatch " HP_VERSION "\n", parse->help_to);
	} else {
		snprintf(name, sizeof(name), "%s", parse->name);
		argp_help(parse->argp, parse->help_to,
			  ARGP_HELP_SHORT_USAGE | ARGP_HELP_PRE_DOC | ARGP_HELP_LONG |
				  ARGP_HELP_POST_DOC,
			  name);
	}
	parse->answered = true;
	return ECANCELED;
}

/* What every command understands, and the program before the command. */
static error_t parse_common_key(int key, char *arg, const struct argp_state *state)
{
	struct parse *parse = state->input;

	switch (key) {
	case KEY_JSON:
		parse->options->json = true;
		return 0;
	case KEY_VERBOSE:
		parse->options->verbose = true;
		parse->options->quiet = false;
		return 0;
	case KEY_QUIET:
		parse->options->quiet = true;
		parse->options->verbose = false;
		return 0;
	case KEY_COLOR:
		return set_color(parse, arg);
	case KEY_HELP:
	case KEY_VERSION:
		return answer(parse, key);
	case ARGP_KEY_ERROR:
		if (!parse->failed && !parse->answered)
			return explain_bad_option(parse, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

error_t options_parse_command(int key, char *arg, struct argp_state *state)
{
	struct parse *parse = state->input;
	const struct command_entry *entry = parse->entry;

	switch (key) {
	case KEY_MODULE:
		return add_module(parse, arg);
	case KEY_PATH:
		return add_path(parse, arg);
	case KEY_TIMEOUT:
		return read_seconds(&parse->options->timeout_ns, parse, "a timeout", arg);
	case KEY_WHEN_IDLE:
		return set_when_idle(parse, arg);
	case KEY_RERUN:
		parse->options->rerun = true;
		return 0;
	case KEY_NO_LOG:
		parse->options->no_log = true;
		return 0;
	case KEY_KEEP_GOING:
		parse->options->keep_going = true;
		return 0;
	case KEY_TREE:
		return add_tree(parse, arg);
	case KEY_UNIT:
		return add_unit(parse, arg);
	case KEY_MATCH:
		return add_match(parse, arg);
	case KEY_ON_MAIN_THREAD:
		parse->options->on_main_thread = true;
		return 0;
	case KEY_FORCE:
		parse->options->force = true;
		return 0;
	case KEY_LIST:
		parse->options->list = true;
		return 0;
	case KEY_TO:
		return set_to(parse, arg);
	case ARGP_KEY_ARG:
		if (!entry->takes_pids)
			return FAIL(parse, "%s takes no argument, but there is '%s'",
				    entry->name, arg);
		return add_pid(parse, arg);
	case ARGP_KEY_NO_ARGS:
		if (entry->needs_pid && !parse->options->selector_count)
			return FAIL(parse, "%s needs the id of a process", entry->name);
		return 0;
	default:
		return parse_common_key(key, arg, state);
	}
}

/* Hand everything from the command's name on to the command's own argp. */
static error_t parse_command(struct argp_state *state, const char *name)
{
	struct parse *parse = state->input;
	int first = state->next - 1;

	const struct command_entry *entry = options_command_named(name);

	if (!entry)
		return FAIL(parse, "unknown command '%s'", name);
	parse->options->command = entry->command;
	parse->entry = entry;
	parse->argp = entry->argp;
	parse->name = entry->full_name;
	state->next = state->argc;
	return argp_parse(parse->argp, state->argc - first, state->argv + first,
			  ARGP_NO_ERRS | ARGP_NO_EXIT | ARGP_NO_HELP, NULL, parse);
}

error_t options_parse_program(int key, char *arg, struct argp_state *state)
{
	struct parse *parse = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		return parse_command(state, arg);
	case ARGP_KEY_NO_ARGS:
		return FAIL(parse, "no command given");
	default:
		return parse_common_key(key, arg, state);
	}
}

int options_parse(struct options *out, int argc, char **argv, FILE *help_to, struct hp_err *err)
{
	struct options options = {.timeout_ns = TIMEOUT_DEFAULT_NS, .idle_ns = -1};
	struct parse parse = {.options = &options,
			      .argp = &options_program,
			      .name = "pyhotpatch",
			      .help_to = help_to,
			      .err = err};
	error_t error;

	options.pids = calloc((size_t)argc + 1, sizeof(*options.pids));
	options.selectors = calloc((size_t)argc + 1, sizeof(*options.selectors));
	options.modules = calloc((size_t)argc + 1, sizeof(*options.modules));
	options.paths = calloc((size_t)argc + 1, sizeof(*options.paths));
	if (!options.pids || !options.selectors || !options.modules || !options.paths) {
		options_fini(&options);
		return hp_err_set(err, HP_SYSTEM, ENOMEM, "read the command line");
	}
	error = argp_parse(&options_program, argc, argv,
			   ARGP_NO_ERRS | ARGP_NO_EXIT | ARGP_NO_HELP | ARGP_IN_ORDER, NULL,
			   &parse);
	if (!error) {
		*out = options;
		return 0;
	}
	options_fini(&options);
	if (parse.answered)
		return OPTIONS_ANSWERED;
	if (!parse.failed)
		return hp_err_set(err, HP_USAGE, error, "read the command line");
	return -1;
}

void options_fini(struct options *options)
{
	free(options->pids);
	for (size_t i = 0; i < options->selector_count; i++)
		free(options->selectors[i].unit);
	free(options->selectors);
	free(options->modules);
	for (size_t i = 0; i < options->path_count; i++)
		free(options->paths[i]);
	free(options->paths);
	*options = (struct options){0};
}
