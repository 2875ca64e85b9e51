/* SPDX-License-Identifier: MIT
 *
 * From options to outcomes: describe, ask the payload, judge, show; one process after the
 * other.
 *
 * The invariant: every process that was named is reported, in the order given, also those that
 * were not reached any more after an interrupt.
 */
#include "src/operation.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "inject/base/cleanup.h"
#include "inject/proc/procfs.h"
#include "inject/report/report.h"
#include "inject/session/rival.h"
#include "inject/session/session.h"
#include "inject/target/target.h"
#include "src/diag.h"
#include "src/outcome.h"
#include "src/payload_path.h"
#include "src/process_name.h"
#include "src/render.h"
#include "src/signals.h"
#include "src/syslog_record.h"
#include "src/term.h"

struct operation {
	const struct options *options;
	enum wire_command command;
	struct term out, err;
	char *payload_path;
	uint8_t *request;
	size_t request_len;
};

static void operation_fini(struct operation *operation)
{
	free(operation->payload_path);
	free(operation->request);
}

static int operation_init(struct operation *out, const struct options *options,
			  const struct request *request, struct hp_err *err)
{
	struct operation operation = {
		.options = options,
		.command = request->command,
		.out = term_of(stdout, options->color),
		.err = term_of(stderr, options->color),
	};

	if (payload_path_find(&operation.payload_path, err) < 0 ||
	    request_encode(&operation.request, &operation.request_len, request, err) < 0) {
		operation_fini(&operation);
		return -1;
	}
	*out = operation;
	return 0;
}

static int run_session(const struct operation *operation, const struct target *target,
		       struct outcome *outcome)
{
	const struct options *options = operation->options;
	struct progress progress = {
		.to = operation->err.is_tty && !options->quiet ? stderr : NULL,
		.pid = target->pid,
	};
	struct session_options session = {
		.payload_path = operation->payload_path,
		.deadline = deadline_after_ns(options->timeout_ns),
		.interrupted = signals_flag(),
		.progress = progress_update,
		.progress_context = &progress,
	};
	struct session_result result = {0};
	struct report report;
	bool lingers;
	int r;

	r = session_run(&result, target,
			(struct span){operation->request, operation->request_len}, &session,
			&outcome->err);
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
	static const char *const doing[WIRE_COMMAND_COUNT] = {
		[WIRE_COMMAND_ATTACH] = "attach to",      [WIRE_COMMAND_PLAN] = "plan for",
		[WIRE_COMMAND_ROLLBACK] = "roll back in", [WIRE_COMMAND_STATUS] = "ask",
		[WIRE_COMMAND_FORGET] = "forget in",      [WIRE_COMMAND_SOURCES] = "watch",
	};

	char name[PROCESS_NAME_MAX];

	hp_err_wrap(&outcome->err, "%s %s", doing[outcome->operation],
		    process_name(name, outcome->pid, outcome->inner_pid));
}

/* Another pyhotpatch has a thread for some milliseconds. */
static int describe(struct target *out, const struct operation *operation,
		    struct outcome *outcome)
{
	const struct deadline deadline = deadline_after_ns(operation->options->timeout_ns);
	const enum target_depth depth = operation->options->force ? TARGET_FORCED : TARGET_FULL;
	const struct timespec pause = {.tv_nsec = 2000000};

	for (;;) {
		int r = target_describe(out, outcome->pid, depth, &outcome->err);

		if (r == 0 || outcome->err.kind != HP_TRACED || *signals_flag() ||
		    deadline_passed(deadline) || !rival_has(outcome->pid, outcome->pid))
			return r;
		outcome->err = (struct hp_err){0};
		nanosleep(&pause, NULL);
	}
}

static void serve_one(const struct operation *operation, struct outcome *outcome)
{
	struct target target;
	int r;

	if (*signals_flag()) {
		hp_err_set(&outcome->err, HP_INTERRUPTED, 0, "interrupted before it began");
		wrap(outcome);
		return;
	}
	outcome->inner_pid = proc_inner_pid(outcome->pid);
	r = describe(&target, operation, outcome);
	if (r == 0) {
		snprintf(outcome->python, sizeof(outcome->python), "%s", target.python.version);
		snprintf(outcome->command, sizeof(outcome->command), "%s", target.command);
		r = run_session(operation, &target, outcome);
		target_fini(&target);
	}
	if (r < 0)
		wrap(outcome);
	if (!operation->options->no_log)
		syslog_record(outcome);
}

static void show(const struct operation *operation, const struct outcome *outcome)
{
	const struct options *options = operation->options;
	_cleanup_free_ char *details = NULL;

	if (options->json) {
		render_json_outcome(stdout, outcome);
	} else if (outcome->err.kind == HP_OK) {
		if (!options->quiet)
			render_text_outcome(stdout, &operation->out, outcome, options->verbose);
	} else {
		details = outcome_details(outcome);
		diag_error(stderr, &operation->err, &outcome->err, details);
		render_text_outcome(stderr, &operation->err, outcome, options->verbose);
	}
	fflush(stdout); /* the next process may take its time */
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
	struct operation operation;

	if (operation_init(&operation, options, request, &outcome->err) < 0)
		return;
	serve_one(&operation, outcome);
	operation_fini(&operation);
}

int operation_run(const struct options *options, const struct request *request)
{
	struct operation operation;
	struct hp_err err;
	int status = 0;

	if (operation_init(&operation, options, request, &err) < 0)
		return fail_all(options, request, &err);
	signals_catch();
	for (size_t i = 0; i < options->pid_count; i++) {
		struct outcome outcome = {.pid = options->pids[i],
					  .operation = request->command};

		serve_one(&operation, &outcome);
		show(&operation, &outcome);
		status = exit_status_worse(status, outcome_exit_status(&outcome));
		outcome_fini(&outcome);
	}
	operation_fini(&operation);
	return status;
}
