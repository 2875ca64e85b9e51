/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "src/options.h"

#define MAX_ARGS 16

/* What --help or --version wrote. */
static char *answer;
static size_t answer_size;

/* Split at blanks ("''" is the empty word) and parse; argv must be writable and outlive the
 * options. */
static int parse(struct options *out, const char *line, struct hp_err *err)
{
	static char copy[4096];
	static char *argv[MAX_ARGS + 1];
	int argc = 0, r;
	FILE *to;

	snprintf(copy, sizeof(copy), "pyhotpatch %s", line);
	for (char *word = strtok(copy, " "); word && argc < MAX_ARGS; word = strtok(NULL, " "))
		argv[argc++] = strcmp(word, "''") ? word : word + 2;
	argv[argc] = NULL;
	free(answer);
	to = open_memstream(&answer, &answer_size);
	r = options_parse(out, argc, argv, to, err);
	fclose(to);
	return r;
}

static struct options parse_good(const char *line)
{
	struct options options;
	struct hp_err err = {0};

	cr_assert(eq(int, parse(&options, line, &err), 0), "%s: %s", line, err.text);
	return options;
}

Test(options, attach_with_everything)
{
	struct options o =
		parse_good("attach -m shop --module=shop.cart --timeout 2.5 --rerun --json "
			   "-v --color=never 12 4194304");

	cr_assert(eq(int, o.command, COMMAND_ATTACH));
	cr_assert(eq(sz, o.pid_count, 2));
	cr_assert(eq(int, o.pids[0], 12));
	cr_assert(eq(int, o.pids[1], 4194304));
	cr_assert(eq(sz, o.module_count, 2));
	cr_assert(eq(str, o.modules[0], "shop"));
	cr_assert(eq(str, o.modules[1], "shop.cart"));
	cr_assert(eq(i64, o.timeout_ns, 2500000000));
	cr_assert(o.rerun && o.json && o.verbose && !o.quiet);
	cr_assert(eq(int, o.color, COLOR_NEVER));
	options_fini(&o);
}

Test(options, when_idle_may_have_a_limit)
{
	struct options o = parse_good("attach --when-idle 12");

	cr_assert(eq(i64, o.idle_ns, 0));
	cr_assert(eq(sz, o.pid_count, 1));
	options_fini(&o);
	o = parse_good("attach --when-idle=2.5 12");
	cr_assert(eq(i64, o.idle_ns, 2500000000));
	options_fini(&o);
}

Test(options, a_module_named_twice_counts_once)
{
	struct options o = parse_good("attach -m shop -m shop.cart -m shop 12");

	cr_assert(eq(sz, o.module_count, 2));
	options_fini(&o);
}

Test(options, paths_are_made_absolute)
{
	struct options o = parse_good("attach -p /srv/shop --path=./a/b.py -p x 12");
	char expected[4200], here[4096];

	cr_assert(ne(ptr, getcwd(here, sizeof(here)), NULL));
	cr_assert(eq(sz, o.path_count, 3));
	cr_assert(eq(str, o.paths[0], "/srv/shop"));
	snprintf(expected, sizeof(expected), "%s/a/b.py", here);
	cr_assert(eq(str, o.paths[1], expected));
	snprintf(expected, sizeof(expected), "%s/x", here);
	cr_assert(eq(str, o.paths[2], expected));
	options_fini(&o);
}

Test(options, defaults)
{
	struct options o = parse_good("attach 12");

	cr_assert(eq(i64, o.timeout_ns, 30000000000));
	cr_assert(eq(i64, o.idle_ns, -1));
	cr_assert(not(o.rerun || o.json || o.verbose || o.quiet));
	cr_assert(eq(int, o.color, COLOR_AUTO));
	cr_assert(eq(sz, o.module_count, 0));
	options_fini(&o);
}

Test(options, options_may_stand_anywhere)
{
	struct options o = parse_good("--json attach 12 -q 13");

	cr_assert(o.json && o.quiet);
	cr_assert(eq(sz, o.pid_count, 2));
	options_fini(&o);

	o = parse_good("attach -- 12");
	cr_assert(eq(sz, o.pid_count, 1));
	options_fini(&o);
}

Test(options, of_quiet_and_verbose_the_last_wins)
{
	struct options o = parse_good("-q attach -v 12");

	cr_assert(o.verbose && !o.quiet);
	options_fini(&o);
	o = parse_good("attach -v 12 -q");
	cr_assert(o.quiet && !o.verbose);
	options_fini(&o);
}

Test(options, list_and_doctor)
{
	struct options o = parse_good("list --json");

	cr_assert(eq(int, o.command, COMMAND_LIST));
	options_fini(&o);
	o = parse_good("doctor");
	cr_assert(eq(int, o.command, COMMAND_DOCTOR));
	cr_assert(eq(sz, o.pid_count, 0));
	options_fini(&o);
	o = parse_good("doctor 1 2");
	cr_assert(eq(sz, o.pid_count, 2));
	options_fini(&o);
}

Test(options, rollback_status_and_forget)
{
	struct options o = parse_good("rollback --to 0 12");

	cr_assert(eq(int, o.command, COMMAND_ROLLBACK));
	cr_assert(o.has_to && o.to == 0 && !o.list);
	options_fini(&o);
	o = parse_good("rollback --list -t 2 12 13");
	cr_assert(o.list && !o.has_to);
	options_fini(&o);
	o = parse_good("status 12 --json");
	cr_assert(eq(int, o.command, COMMAND_STATUS));
	options_fini(&o);
	o = parse_good("plan -m shop --rerun 12");
	cr_assert(eq(int, o.command, COMMAND_PLAN));
	cr_assert(o.rerun && o.module_count == 1);
	options_fini(&o);
	cr_assert(not(o.no_log));
	o = parse_good("attach --no-log 12");
	cr_assert(o.no_log);
	options_fini(&o);
	o = parse_good("status 12");
	cr_assert(not(o.force));
	options_fini(&o);
	o = parse_good("status --force 12");
	cr_assert(o.force);
	options_fini(&o);
	o = parse_good("attach --on-main-thread 12");
	cr_assert(o.on_main_thread);
	options_fini(&o);
	o = parse_good("forget 12");
	cr_assert(eq(int, o.command, COMMAND_FORGET));
	options_fini(&o);
}

Test(options, ways_to_choose)
{
	struct options o = parse_good("attach --tree 12 --unit shop --unit=/a/b --match ^x 13");

	cr_assert(eq(sz, o.pid_count, 1));
	cr_assert(eq(sz, o.selector_count, 4));
	cr_assert(o.selectors[0].kind == SELECT_TREE && o.selectors[0].pid == 12);
	cr_assert(o.selectors[1].kind == SELECT_UNIT && o.selectors[3].kind == SELECT_MATCH);
	cr_assert(eq(str, o.selectors[1].unit, "shop.service"));
	cr_assert(eq(str, o.selectors[2].unit, "/a/b"));
	options_fini(&o);
	static const char *const others[] = {"plan",   "rollback", "status",
					     "forget", "watch",    "doctor"};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		char line[64];

		snprintf(line, sizeof(line), "%s --unit shop.service", others[i]);
		o = parse_good(line);
		cr_assert(eq(sz, o.selector_count, 1));
		options_fini(&o);
	}
}

static const struct {
	const char *line, *sentence;
} bad[] = {
	{"attach --tree x", "'x' is not a process id"},
	{"attach --tree", "option '--tree' needs a value"},
	{"attach --unit a/b", "'a/b' is not the name of a unit (such as shop.service)"},
	{"attach --unit ''", "'' is not the name of a unit (such as shop.service)"},
	{"attach --match ''", "--match needs a pattern"},
	{"attach --match (", "'(' is not a regular expression: Unmatched ( or \\("},
	{"list --tree 12", "unknown option '--tree'"},
	{"", "no command given"},
	{"--json", "no command given"},
	{"''", "unknown command ''"},
	{"12", "unknown command '12'"},
	{"attack 12", "unknown command 'attack'"},
	{"--fast attach 12", "unknown option '--fast'"},
	{"-x attach 12", "unknown option '-x'"},
	{"--module shop attach 12", "unknown option '--module'"},
	{"attach", "attach needs the id of a process"},
	{"attach --json", "attach needs the id of a process"},
	{"attach --path '' 12", "--path needs a file or folder"},
	{"attach ''", "'' is not a process id"},
	{"attach 0", "'0' is not a process id"},
	{"attach 012", "'012' is not a process id"},
	{"attach +12", "'+12' is not a process id"},
	{"attach -- -12", "'-12' is not a process id"},
	{"attach 1.5", "'1.5' is not a process id"},
	{"attach 12x", "'12x' is not a process id"},
	{"attach 0x12", "'0x12' is not a process id"},
	{"attach python", "'python' is not a process id"},
	{"attach 2147483648", "'2147483648' is too large for a process id"},
	{"attach 99999999999999999999999",
	 "'99999999999999999999999' is too large for a process id"},
	{"attach 12 13 12", "process 12 is named twice"},
	{"attach 12 --fast", "unknown option '--fast'"},
	{"attach -12", "unknown option '-12'"},
	{"attach -vx 12", "unknown option '-vx'"},
	{"attach 12 --timeout", "option '--timeout' needs a value"},
	{"attach 12 -t", "option '-t' needs a value"},
	{"attach --json=yes 12", "option '--json' takes no value"},
	{"attach --timeout= 12", "'' is not a number of seconds"},
	{"attach --timeout -1 12", "'-1' is not a number of seconds"},
	{"attach --timeout 1s 12", "'1s' is not a number of seconds"},
	{"attach --timeout 1.2.3 12", "'1.2.3' is not a number of seconds"},
	{"attach --timeout . 12", "'.' is not a number of seconds"},
	{"attach --timeout inf 12", "'inf' is not a number of seconds"},
	{"attach --timeout nan 12", "'nan' is not a number of seconds"},
	{"attach --timeout 1e3 12", "'1e3' is not a number of seconds"},
	{"attach --timeout 0 12", "a timeout of 0 seconds is not between 0.001 and 86400"},
	{"attach --timeout 86401 12",
	 "a timeout of 86401 seconds is not between 0.001 and 86400"},
	{"attach --when-idle=soon 12", "'soon' is not a number of seconds"},
	{"attach --when-idle=0 12", "a wait of 0 seconds is not between 0.001 and 86400"},
	{"doctor --when-idle 12", "unknown option '--when-idle'"},
	{"attach --color=blue 12", "--color takes auto, always or never, not 'blue'"},
	{"attach --module '' 12", "'' is not the name of a module (such as shop.cart)"},
	{"attach --module .shop 12", "'.shop' is not the name of a module (such as shop.cart)"},
	{"attach --module shop. 12", "'shop.' is not the name of a module (such as shop.cart)"},
	{"attach --module a..b 12", "'a..b' is not the name of a module (such as shop.cart)"},
	{"attach --module a/b 12", "'a/b' is not the name of a module (such as shop.cart)"},
	{"attach --module shop.py 12",
	 "'shop.py' is a file; --module takes a name such as shop.cart"},
	{"list 12", "list takes no argument, but there is '12'"},
	{"list --module shop", "unknown option '--module'"},
	{"doctor --rerun 12", "unknown option '--rerun'"},
	{"rollback", "rollback needs the id of a process"},
	{"rollback --to 12", "rollback needs the id of a process"},
	{"rollback --to one 12", "'one' is not the number of an attach"},
	{"rollback --to -1 12", "'-1' is not the number of an attach"},
	{"rollback --to 4294967296 12", "'4294967296' is not the number of an attach"},
	{"rollback --module shop 12", "unknown option '--module'"},
	{"status --list 12", "unknown option '--list'"},
	{"forget", "forget needs the id of a process"},
	{"doctor 0", "'0' is not a process id"},
};

Test(options, bad_lines_get_one_clear_sentence)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct options options = {.pid_count = 77};
		struct hp_err err = {0};

		cr_assert(eq(int, parse(&options, bad[i].line, &err), -1), "accepted: %s",
			  bad[i].line);
		cr_expect(eq(str, err.text, bad[i].sentence), "for: %s", bad[i].line);
		cr_assert(eq(int, err.kind, HP_USAGE));
		cr_assert(eq(sz, options.pid_count, 77), "result touched: %s", bad[i].line);
		cr_assert(eq(sz, answer_size, 0));
	}
}

Test(options, we_are_no_target)
{
	struct options options;
	struct hp_err err;
	char line[64], sentence[64];

	snprintf(line, sizeof(line), "attach %d", getpid());
	snprintf(sentence, sizeof(sentence), "process %d is pyhotpatch itself", getpid());
	cr_assert(eq(int, parse(&options, line, &err), -1));
	cr_assert(eq(str, err.text, sentence));
}

Test(options, help_and_version_are_answered)
{
	static const struct {
		const char *line, *part;
	} cases[] = {
		{"--help", "attach PID..."},       {"-h", "doctor [PID...]"},
		{"attach --help", "--timeout"},    {"attach 12 --help", "--module"},
		{"list --help", "[OPTION...]"},    {"doctor -h", "[PID...]"},
		{"--version", "pyhotpatch "},      {"attach --version", "pyhotpatch "},
		{"attach --help nonsense", "PID"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct options options;
		struct hp_err err;

		cr_assert(eq(int, parse(&options, cases[i].line, &err), OPTIONS_ANSWERED), "%s",
			  cases[i].line);
		cr_assert(ne(ptr, strstr(answer, cases[i].part), NULL), "%s: %s", cases[i].line,
			  answer);
	}
}

Test(options, the_help_of_list_offers_no_timeout)
{
	struct options options;
	struct hp_err err;

	cr_assert(eq(int, parse(&options, "list --help", &err), OPTIONS_ANSWERED));
	cr_assert(eq(ptr, strstr(answer, "--timeout"), NULL));
}
