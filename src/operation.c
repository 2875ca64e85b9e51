/* SPDX-License-Identifier: MIT
 *
 * From options to outcomes that are shown: of several processes all or none is changed, unless
 * each is to be served for itself, one after the other.
 *
 * The invariant: every process that was named is reported, in the order given, also those that
 * were not reached any more after an interrupt.
 */
#include "src/operation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inject/base/cleanup.h"
#include "inject/report/report.h"
#include "src/ask.h"
#include "src/diag.h"
#include "src/render.h"
#include "src/signals.h"
#include "src/term.h"

/* What is shown of several processes. */
struct show {
	const struct options *options;
	struct term out, err;
	bool is_alone;
	char *details; /* owned; of the last process: workers mostly take the same changes */
};

static void show_error(const struct show *show, const struct outcome *outcome)
{
	_cleanup_free_ char *details = outcome_details(outcome);

	diag_error(stderr, &show->err, &outcome->err, details);
	render_text_outcome(stderr, &show->err, outcome, show->options->verbose);
}

/* One headline for each process, and what was done once. */
static void show_one_of_several(struct show *show, const struct outcome *outcome)
{
	char *details = NULL;
	size_t size;
	FILE *to = open_memstream(&details, &size);

	render_text_headline(stdout, &show->out, outcome);
	if (!to)
		return;
	render_text_details(to, &show->out, outcome, show->options->verbose);
	fclose(to);
	if (!show->details || strcmp(details, show->details) != 0)
		fputs(details, stdout);
	free(show->details);
	show->details = details;
}

static void show_outcome(struct show *show, const struct outcome *outcome)
{
	const struct options *options = show->options;

	if (options->json)
		render_json_outcome(stdout, outcome);
	else if (outcome->err.kind != HP_OK)
		show_error(show, outcome);
	else if (options->quiet)
		;
	else if (show->is_alone)
		render_text_outcome(stdout, &show->out, outcome, options->verbose);
	else
		show_one_of_several(show, outcome);
	fflush(stdout); /* the next process may take its time */
}

static int exit_status_of(const struct outcomes *all)
{
	int status = 0;

	for (size_t i = 0; i < all->count; i++)
		status = exit_status_worse(status, outcome_exit_status(&all->items[i]));
	return status;
}

static void show_summary(const struct show *show, const struct outcomes *all)
{
	const bool has_failed = exit_status_of(all) != 0;

	if (show->options->json || all->count < 2)
		return;
	if (has_failed)
		render_text_summary(stderr, &show->err, all->items, all->count);
	else if (!show->options->quiet)
		render_text_summary(stdout, &show->out, all->items, all->count);
}

/* Nobody can be served: say so once for people, for each process to a program. */
static int fail_all(const struct options *options, const struct request *request,
		    const struct hp_err *err)
{
	struct term term = term_of(stderr, options->color);

	if (!options->json)
		diag_error(stderr, &term, err, NULL);
	for (size_t i = 0; i < options->pid_count && options->json; i++) {
		struct outcome outcome = {
			.pid = options->pids[i], .operation = request->command, .err = *err};

		render_json_outcome(stdout, &outcome);
	}
	return hp_err_exit_status(err->kind);
}

struct request operation_attach_request(const struct options *options)
{
	return (struct request){
		.command = WIRE_COMMAND_ATTACH,
		.flags = (options->rerun ? WIRE_RERUN : 0) |
			 (options->on_main_thread ? WIRE_ON_MAIN_THREAD : 0) |
			 (options->idle_ns >= 0 ? WIRE_WHEN_IDLE : 0),
		.argument = options->idle_ns > 0
				    ? (uint32_t)((options->idle_ns + 999999) / 1000000)
				    : 0,
		.modules = options->modules,
		.module_count = options->module_count,
		.paths = (const char *const *)options->paths,
		.path_count = options->path_count,
	};
}

void operation_ask(struct outcome *outcome, const struct options *options,
		   const struct request *request)
{
	struct ask ask;

	if (ask_init(&ask, options, request, &outcome->err) < 0)
		return;
	ask_process(&ask, outcome);
	ask_fini(&ask);
}

/* Each for itself; shown one by one, since the next may take its time. */
static int serve_each(struct outcomes *out, const struct ask *ask,
		      const struct selection *chosen, struct show *show)
{
	struct outcome *items = calloc(chosen->count + 1, sizeof(*items));

	for (size_t i = 0; items && i < chosen->count; i++) {
		items[i] = (struct outcome){.pid = chosen->pids[i], .operation = ask->command};
		ask_process(ask, &items[i]);
		if (show)
			show_outcome(show, &items[i]);
	}
	*out = (struct outcomes){items, items ? chosen->count : 0};
	return items ? 0 : -1;
}

static bool are_together(const struct options *options, const struct request *request,
			 const struct selection *chosen)
{
	const bool changes = request->command == WIRE_COMMAND_ATTACH ||
			     request->command == WIRE_COMMAND_ROLLBACK;

	return changes && !options->keep_going &&
	       (chosen->count > 1 || options->selector_count);
}

/* `show` may be NULL. */
static int serve(struct outcomes *out, const struct ask *ask, const struct selection *chosen,
		 struct show *show, struct hp_err *err)
{
	if (!ask->is_together) {
		if (serve_each(out, ask, chosen, show) == 0)
			return 0;
		return hp_err_set(err, HP_SYSTEM, ENOMEM, "serve %zu processes", chosen->count);
	}
	if (group_serve(out, ask, chosen, err) < 0)
		return -1;
	for (size_t i = 0; show && i < out->count; i++)
		show_outcome(show, &out->items[i]);
	return 0;
}

static int prepare(struct ask *out, const struct options *options,
		   const struct request *request, const struct selection *chosen,
		   struct hp_err *err)
{
	struct request own = *request;

	if (are_together(options, request, chosen))
		own.flags |= WIRE_TOGETHER;
	return ask_init(out, options, &own, err);
}

int operation_ask_all(struct outcomes *out, const struct options *options,
		      const struct request *request, const struct selection *chosen,
		      struct hp_err *err)
{
	struct ask ask;
	int r;

	if (prepare(&ask, options, request, chosen, err) < 0)
		return -1;
	r = serve(out, &ask, chosen, NULL, err);
	ask_fini(&ask);
	return r;
}

int operation_run(const struct options *options, const struct request *request)
{
	const struct selection chosen = {options->pids, options->pid_count};
	struct show show = {
		.options = options,
		.out = term_of(stdout, options->color),
		.err = term_of(stderr, options->color),
		.is_alone = chosen.count == 1,
	};
	struct outcomes all;
	struct hp_err err;
	struct ask ask;
	int status;

	if (prepare(&ask, options, request, &chosen, &err) < 0)
		return fail_all(options, request, &err);
	signals_catch();
	if (serve(&all, &ask, &chosen, &show, &err) == 0) {
		show_summary(&show, &all);
		status = exit_status_of(&all);
		outcomes_fini(&all);
	} else {
		status = fail_all(options, request, &err);
	}
	free(show.details);
	ask_fini(&ask);
	return status;
}
