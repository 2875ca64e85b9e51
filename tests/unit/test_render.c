/* SPDX-License-Identifier: MIT
 *
 * What people see, against golden files.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "src/diag.h"
#include "src/render.h"
#include "tests/unit/samples.h"

static const struct term narrow = {false, false, 80}, wide = {true, false, 200},
			 colored = {true, true, 80};

/* What a person sees: the result, or the error and what explains it. */
static void expect_text(const char *name, struct outcome outcome, const struct term *term,
			bool verbose)
{
	char *got, *details = outcome_details(&outcome);
	size_t size;
	FILE *to = open_memstream(&got, &size);

	if (outcome.err.kind != HP_OK)
		diag_error(to, term, &outcome.err, details);
	render_text_outcome(to, term, &outcome, verbose);
	fclose(to);
	expect_golden(name, got);
	cr_assert(term->color || !strchr(got, '\x1b'), "an escape without colour");
	free(got);
	free(details);
	outcome_fini(&outcome);
}

Test(render, text_on_a_pipe_or_narrow_terminal)
{
	expect_text("applied.txt", applied(), &narrow, false);
	expect_text("nothing.txt", nothing(), &narrow, false);
	expect_text("source_error.txt", source_error(), &narrow, false);
	expect_text("refused.txt", refused(), &narrow, false);
	expect_text("failed.txt", failed(), &narrow, false);
	expect_text("planned.txt", planned(), &narrow, false);
	expect_text("many.txt", many(), &narrow, false);
}

Test(render, text_of_the_other_commands)
{
	setenv("TZ", "UTC", 1);
	expect_text("recorded.txt", recorded(), &narrow, false);
	expect_text("recorded_verbose.txt", recorded(), &narrow, true);
	expect_text("rolled_back.txt", rolled_back(), &narrow, false);
	expect_text("not_rolled_back.txt", not_rolled_back(), &narrow, false);
	expect_text("nothing_rolled_back.txt", empty(WIRE_COMMAND_ROLLBACK), &narrow, false);
	expect_text("nothing_recorded.txt", empty(WIRE_COMMAND_STATUS), &narrow, false);
	expect_text("forgotten.txt", empty(WIRE_COMMAND_FORGET), &narrow, false);
}

static void expect_summary(const char *name, struct outcome *outcomes, size_t count,
			   const struct term *term)
{
	char *got;
	size_t size;
	FILE *to = open_memstream(&got, &size);

	render_text_summary(to, term, outcomes, count);
	fclose(to);
	expect_golden(name, got);
	free(got);
	for (size_t i = 0; i < count; i++)
		outcome_fini(&outcomes[i]);
}

Test(render, one_line_for_several)
{
	struct outcome held = {.pid = 17, .operation = WIRE_COMMAND_ATTACH};

	hp_err_set(&held.err, HP_HELD_BACK, 0, "nothing was changed");
	expect_summary("summary_applied.txt",
		       (struct outcome[]){applied(), nothing(), applied()}, 3, &narrow);
	expect_summary("summary_held_back.txt", (struct outcome[]){held, refused(), held}, 3,
		       &narrow);
	expect_summary("summary_mixed.txt",
		       (struct outcome[]){applied(), failed(), source_error()}, 3, &colored);
	expect_summary("summary_rolled_back.txt",
		       (struct outcome[]){rolled_back(), rolled_back()}, 2, &narrow);
}

Test(render, text_verbose)
{
	expect_text("applied_verbose.txt", applied(), &narrow, true);
	expect_text("nothing_verbose.txt", nothing(), &narrow, true);
}

Test(render, text_wide)
{
	setenv("TZ", "UTC", 1);
	expect_text("applied_wide.txt", applied(), &wide, false);
	expect_text("planned_wide.txt", planned(), &wide, false);
	expect_text("recorded_wide.txt", recorded(), &wide, false);
	expect_text("rolled_back_wide.txt", rolled_back(), &wide, false);
	expect_text("source_error_wide.txt", source_error(), &wide, false);
}

Test(render, text_colored)
{
	setenv("TZ", "UTC", 1);
	expect_text("applied_color.txt", applied(), &colored, false);
	expect_text("planned_color.txt", planned(), &colored, false);
	expect_text("recorded_color.txt", recorded(), &colored, false);
	expect_text("rolled_back_color.txt", rolled_back(), &colored, false);
	expect_text("forgotten_color.txt", empty(WIRE_COMMAND_FORGET), &colored, false);
	expect_text("source_error_color.txt", source_error(), &colored, false);
	expect_text("refused_color.txt", refused(), &colored, false);
	expect_text("failed_color.txt", failed(), &colored, false);
}

static bool is_colored(FILE *to, enum color_mode mode)
{
	return term_of(to, mode).color;
}

Test(render, color_where_it_is_wanted)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), ends[2];

	cr_assert(eq(int, grantpt(master), 0));
	cr_assert(eq(int, unlockpt(master), 0));
	cr_assert(eq(int, pipe(ends), 0));
	/* one that does not become ours: it would hang us up */
	int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	FILE *terminal = fdopen(slave, "r+"), *plain = fdopen(ends[1], "w");
	cr_assert(ne(ptr, terminal, NULL));
	cr_assert(ne(ptr, plain, NULL));
	setenv("TERM", "xterm", 1);
	unsetenv("NO_COLOR");
	cr_assert(eq(int, is_colored(terminal, COLOR_AUTO), true));
	cr_assert(eq(int, is_colored(terminal, COLOR_NEVER), false));
	cr_assert(eq(int, is_colored(plain, COLOR_AUTO), false));
	cr_assert(eq(int, is_colored(plain, COLOR_ALWAYS), true));
	setenv("NO_COLOR", "1", 1);
	cr_assert(eq(int, is_colored(terminal, COLOR_AUTO), false));
	cr_assert(eq(int, is_colored(terminal, COLOR_ALWAYS), true));
	setenv("NO_COLOR", "", 1); /* counts as not set: no-color.org */
	cr_assert(eq(int, is_colored(terminal, COLOR_AUTO), true));
	setenv("TERM", "dumb", 1);
	cr_assert(eq(int, is_colored(terminal, COLOR_AUTO), false));
	fclose(plain);
	fclose(terminal);
	close(ends[0]);
	close(master);
}

Test(render, no_line_of_a_list_is_wider_than_the_terminal)
{
	struct outcome outcome = many();
	char *got, *line, *rest;
	size_t size;

	for (unsigned columns = 40; columns <= 160; columns += 7) {
		struct term term = {true, false, columns};
		FILE *to = open_memstream(&got, &size);

		render_text_outcome(to, &term, &outcome, true);
		fclose(to);
		rest = got;
		strtok_r(got, "\n", &rest); /* the headline and the steps are sentences */
		strtok_r(NULL, "\n", &rest);
		strtok_r(NULL, "\n", &rest);
		while ((line = strtok_r(NULL, "\n", &rest)))
			cr_assert(term_width(line) <= columns, "%u: %s", columns, line);
		free(got);
	}
	outcome_fini(&outcome);
}

Test(render, list_and_doctor_wide_and_colored)
{
	struct process_info good = good_info(), bad = bad_info();
	const struct process_info *infos[] = {&good, &bad};
	struct machine_info machine = bad_machine();
	struct term colored_wide = {true, true, 200};
	size_t size;
	char *got;
	FILE *to = open_memstream(&got, &size);

	render_text_list(to, &colored_wide, infos, 2);
	render_text_doctor(to, &colored_wide, &good);
	render_text_doctor(to, &colored_wide, &bad);
	render_text_machine(to, &colored_wide, &machine);
	fclose(to);
	expect_golden("processes_wide_color.txt", got);
	free(got);
}

Test(render, list_and_doctor)
{
	struct process_info good = good_info(), bad = bad_info();
	const struct process_info *infos[] = {&good, &bad};
	struct machine_info machine = bad_machine(), ready = good_machine();
	struct term terminal = {true, false, 80};
	size_t size;
	char *got;
	FILE *to = open_memstream(&got, &size);

	render_text_list(to, &narrow, infos, 2);
	render_text_list(to, &terminal, infos, 2);
	render_text_list(to, &colored, infos, 1);
	render_text_list(to, &narrow, infos, 0);
	render_text_doctor(to, &narrow, &good);
	render_text_doctor(to, &narrow, &bad);
	render_text_machine(to, &narrow, &ready);
	render_text_machine(to, &narrow, &machine);
	fclose(to);
	expect_golden("processes.txt", got);
	free(got);
}

Test(render, durations)
{
	static const struct {
		int64_t ns;
		const char *text;
	} cases[] = {{0, "0.00 ms"},         {204000, "0.20 ms"},  {5123456, "5.1 ms"},
		     {99900000, "99.9 ms"},  {99960000, "100 ms"}, {1234000000, "1234 ms"},
		     {12345000000, "12.3 s"}};
	char text[32];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_assert(
			eq(str, term_duration(text, sizeof(text), cases[i].ns), cases[i].text));
}

Test(render, progress_shows_only_long_waits_and_wipes_itself)
{
	size_t size;
	char *got;
	struct progress progress = {.to = open_memstream(&got, &size), .pid = 4711};

	progress_update(&progress, WIRE_PHASE_GIL, 1000000);
	progress_end(&progress);
	fflush(progress.to);
	cr_assert(eq(sz, size, 0));
	progress_update(&progress, WIRE_PHASE_GIL, 1500000000);
	progress_update(&progress, 99999, 1600000000);
	progress_end(&progress);
	progress_end(&progress);
	fclose(progress.to);
	cr_assert(eq(str, got,
		     "\r\x1b[Kprocess 4711: waiting for the GIL, 1.5 s"
		     "\r\x1b[Kprocess 4711: waiting, 1.6 s\r\x1b[K"));
	free(got);
}
