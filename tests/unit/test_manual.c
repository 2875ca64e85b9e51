/* SPDX-License-Identifier: MIT
 *
 * The manual against the program: exit statuses, obstacles and options cannot drift apart.
 */
#include <ctype.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/err.h"
#include "src/options.h"

static char manual[1 << 16];

static void load_manual(void)
{
	FILE *from = fopen(HP_SOURCE_ROOT "/src/pyhotpatch.1.scd", "re");

	cr_assert(ne(ptr, from, NULL));
	manual[fread(manual, 1, sizeof(manual) - 1, from)] = '\0';
	fclose(from);
}

Test(manual, every_kind_has_its_line, .init = load_manual)
{
	for (int kind = HP_OK + 1; kind < HP_ERR_KIND_COUNT; kind++) {
		char line[64];

		snprintf(line, sizeof(line), "\n*%d* (%s)\n\t", hp_err_exit_status(kind),
			 hp_err_kind_name(kind));
		cr_assert(ne(ptr, strstr(manual, line), NULL), "not in the manual: %s", line);
	}
}

Test(manual, no_line_is_about_a_kind_that_is_not, .init = load_manual)
{
	int lines = 0;

	for (const char *at = manual; (at = strstr(at, "\n*")); at++)
		lines += isdigit((unsigned char)at[2]) && at[3] != '.';
	cr_assert(eq(int, lines, HP_ERR_KIND_COUNT), "0 and every kind");
}

/* From OBSTACLES to the next heading. */
static char *obstacles_section(void)
{
	static char section[sizeof(manual)];
	const char *at = strstr(manual, "\n# OBSTACLES\n");

	cr_assert(ne(ptr, at, NULL));
	strcpy(section, at + 1);
	char *end = strstr(section, "\n# ");
	cr_assert(ne(ptr, end, NULL));
	*end = '\0';
	return section;
}

Test(manual, every_obstacle_has_its_line_and_no_other_has, .init = load_manual)
{
	const char *section = obstacles_section();
	int lines = 0;

	for (int i = OBSTACLE_NONE + 1; i < OBSTACLE_COUNT; i++) {
		char line[64];

		snprintf(line, sizeof(line), "\n*%s* (%s)\n\t", hp_obstacle_name(i),
			 hp_err_kind_name(hp_obstacle_kind(i)));
		cr_assert(ne(ptr, strstr(section, line), NULL), "not in the manual: %s", line);
	}
	for (const char *at = section; (at = strstr(at, "\n*")); at++)
		lines++;
	cr_assert(eq(int, lines, OBSTACLE_COUNT - 1));
}

static const char *const obstacle_ids[] = {
#define X(id, name, kind, hint) "OBSTACLE_" #id,
	HP_OBSTACLES(X)
#undef X
};

/* Whether the text of a file has that whole word. */
static bool has_word(const char *path, const char *word)
{
	static char text[1 << 18];
	FILE *from = fopen(path, "re");
	size_t len = strlen(word);

	cr_assert(ne(ptr, from, NULL), "%s", path);
	text[fread(text, 1, sizeof(text) - 1, from)] = '\0';
	fclose(from);
	for (const char *at = text; (at = strstr(at, word)); at += len)
		if (!isalnum((unsigned char)at[len]) && at[len] != '_')
			return true;
	return false;
}

Test(manual, every_obstacle_has_a_test)
{
	static const char *const patterns[] = {
		HP_SOURCE_ROOT "/tests/unit/test_*.c",
		HP_SOURCE_ROOT "/tests/integration/test_*.c",
	};
	glob_t files = {0};

	for (size_t i = 0; i < 2; i++)
		cr_assert(eq(int, glob(patterns[i], i ? GLOB_APPEND : 0, NULL, &files), 0));
	for (size_t i = 0; i < sizeof(obstacle_ids) / sizeof(*obstacle_ids); i++) {
		bool found = false;

		for (size_t f = 0; f < files.gl_pathc && !found; f++)
			found = has_word(files.gl_pathv[f], obstacle_ids[i]);
		cr_assert(found, "no test is about %s", obstacle_ids[i]);
	}
	globfree(&files);
}

/* Each "--option" of a help text. */
static void check_help(char *command)
{
	char *argv[] = {"pyhotpatch", command, "--help", NULL}, *help;
	struct options options;
	struct hp_err err;
	size_t size;
	FILE *to = open_memstream(&help, &size);

	cr_assert(eq(int, options_parse(&options, 3, argv, to, &err), OPTIONS_ANSWERED));
	fclose(to);
	for (const char *at = help; (at = strstr(at, "--")); at += 2) {
		char option[32] = "*--";
		size_t len = strspn(at + 2, "abcdefghijklmnopqrstuvwxyz-");

		if (!len || len > 20)
			continue;
		memcpy(option + 3, at + 2, len);
		strcpy(option + 3 + len, "*");
		cr_assert(ne(ptr, strstr(manual, option), NULL), "not in the manual: %s",
			  option);
	}
	free(help);
}

Test(manual, every_option_is_explained, .init = load_manual)
{
	check_help("attach");
	check_help("list");
	check_help("doctor");
}
