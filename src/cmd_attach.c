/* SPDX-License-Identifier: MIT
 *
 * pyhotpatch attach PID...: describe, ask the payload, judge, show; one process after the
 * other.
 *
 * The invariant: every process that was named is reported, in the order given, also those that
 * were not reached any more after an interrupt.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "inject/base/cleanup.h"
#include "inject/proc/procfs.h"
#include "inject/report/report.h"
#include "inject/session/rival.h"
#include "inject/session/session.h"
#include "inject/target/target.h"
#include "src/commands.h"
#include "src/diag.h"
#include "src/outcome.h"
#include "src/payload_path.h"
#include "src/process_name.h"
#include "src/render.h"
#include "src/signals.h"
#include "src/term.h"

struct attach {
	const struct options *options;
	struct term out, err;
	char *payload_path;
	uint8_t *request;
	size_t request_len;
};

static void attach_fini(struct attach *attach)
{
	free(attach->payload_path);
	free(attach->request);
}

static int attach_init(struct attach *out, const struct options *options, struct hp_err *err)
{
	struct attach attach = {
		.options = options,
		.out = term_of(stdout, options->color),
		.err = term_of(stderr, options->color),
	};

	const struct request request = {
		.command = WIRE_COMMAND_ATTACH,
		.flags = (options->rerun ? WIRE_RERUN : 0) |
			 (options->idle_ns >= 0 ? WIRE_WHEN_IDLE : 0),
		.argument = options->idle_ns > 0
				    ? (uint32_t)((options->idle_ns + 999999) / 1000000)
				    : 0,
		.modules = options->modules,
		.module_count = options->module_count,
		.paths = (const char *const *)options->paths,
		.path_count = options->path_count,
	};

	if (payload_path_find(&attach.payload_path, err) < 0 ||
	    request_encode(&attach.request, &attach.request_len, &request, err) < 0) {
		attach_fini(&attach);
		return -1;
	}
	*out = attach;
	return 0;
}

static int run_session(const struct attach *attach, const struct target *target,
		       struct outcome *outcome)
{
	const struct options *options = attach->options;
	struct progress progress = {
		.to = attach->err.is_tty && !options->quiet ? stderr : NULL,
		.pid = target->pid,
	};
	struct session_options session = {
		.payload_path = attach->payload_path,
		.deadline = deadline_after_ns(options->timeout_ns),
		.interrupted = signals_flag(),
		.progress = progress_update,
		.progress_context = &progress,
	};
	struct session_result result = {0};
	struct report report;
	bool lingers;
	int r;

	r = session_run(&result, target, (struct span){attach->request, attach->request_len},
			&session, &outcome->err);
	progress_end(&progress);
	if (r < 0)
		return -1;
	outcome->held_ns = result.held_ns;
	outcome->elapsed_ns = result.elapsed_ns;
	outcome->stops = result.stops;
	outcome->unsafe_stops = result.unsafe;
	r = report_decode(&report, (struct span){result.reply, result.reply_len},
			  &outcome->err);
	lingers = !result.worker_left;
	session_result_fini(&result);
	if (r < 0)
		return -1;
	outcome_take_report(outcome, &report);
	outcome_check_filters(outcome, options->module_count, options->path_count);
	if (lingers && !outcome->note[0])
		snprintf(outcome->note, sizeof(outcome->note),
			 "the thread that did the work had not ended yet when pyhotpatch left");
	return outcome->err.kind == HP_OK ? 0 : -1;
}

static void wrap(struct outcome *outcome)
{
	char name[PROCESS_NAME_MAX];

	hp_err_wrap(&outcome->err, "attach to %s",
		    process_name(name, outcome->pid, outcome->inner_pid));
}

/* Another pyhotpatch has a thread for some milliseconds. */
static int describe(struct target *out, const struct attach *attach, struct outcome *outcome)
{
	const struct deadline deadline = deadline_after_ns(attach->options->timeout_ns);
	const struct timespec pause = {.tv_nsec = 2000000};

	for (;;) {
		int r = target_describe(out, outcome->pid, TARGET_FULL, &outcome->err);

		if (r == 0 || outcome->err.kind != HP_TRACED || *signals_flag() ||
		    deadline_passed(deadline) || !rival_has(outcome->pid, outcome->pid))
			return r;
		outcome->err = (struct hp_err){0};
		nanosleep(&pause, NULL);
	}
}

static void attach_one(const struct attach *attach, struct outcome *outcome)
{
	struct target target;
	int r;

	if (*signals_flag()) {
		hp_err_set(&outcome->err, HP_INTERRUPTED, 0, "interrupted before it began");
		wrap(outcome);
		return;
	}
	outcome->inner_pid = proc_inner_pid(outcome->pid);
	r = describe(&target, attach, outcome);
	if (r == 0) {
		snprintf(outcome->python, sizeof(outcome->python), "%s", target.python.version);
		snprintf(outcome->command, sizeof(outcome->command), "%s", target.command);
		r = run_session(attach, &target, outcome);
		target_fini(&target);
	}
	if (r < 0)
		wrap(outcome);
}

static void show(const struct attach *attach, const struct outcome *outcome)
{
	const struct options *options = attach->options;
	_cleanup_free_ char *details = NULL;

	if (options->json) {
		render_json_outcome(stdout, outcome);
	} else if (outcome->err.kind == HP_OK) {
		if (!options->quiet)
			render_text_outcome(stdout, &attach->out, outcome, options->verbose);
	} else {
		details = outcome_details(outcome);
		diag_error(stderr, &attach->err, &outcome->err, details);
		render_text_outcome(stderr, &attach->err, outcome, options->verbose);
	}
	fflush(stdout); /* the next process may take its time */
}

/* Nobody can be served: say so once for people, for each process to a program. */
static int fail_all(const struct options *options, const struct hp_err *err)
{
	struct term term = term_of(stderr, options->color);

	if (!options->json)
		diag_error(stderr, &term, err, NULL);
	for (size_t i = 0; i < options->pid_count && options->json; i++) {
		struct outcome outcome = {.pid = options->pids[i], .err = *err};

		render_json_outcome(stdout, &outcome);
	}
	return hp_err_exit_status(err->kind);
}

int cmd_attach(const struct options *options)
{
	struct attach attach;
	struct hp_err err;
	int status = 0;

	if (attach_init(&attach, options, &err) < 0)
		return fail_all(options, &err);
	signals_catch();
	for (size_t i = 0; i < options->pid_count; i++) {
		struct outcome outcome = {.pid = options->pids[i]};

		attach_one(&attach, &outcome);
		show(&attach, &outcome);
		status = exit_status_worse(status, outcome_exit_status(&outcome));
		outcome_fini(&outcome);
	}
	attach_fini(&attach);
	return status;
}
