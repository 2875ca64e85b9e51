/* SPDX-License-Identifier: MIT
 *
 * The manual against the program: exit statuses and options cannot drift apart.
 */
#include <ctype.h>
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
