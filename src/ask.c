/* SPDX-License-Identifier: MIT
 *
 * See ask.h. The invariant: when outcome->err is HP_OK in the end, what was asked for was done.
 */
#include "src/ask.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "inject/proc/procfs.h"
#include "inject/session/rival.h"
#include "inject/target/target.h"
#include "src/payload_path.h"
#include "src/process_name.h"
#include "src/signals.h"
#include "src/syslog_record.h"

void ask_fini(struct ask *ask)
{
	free(ask->payload_path);
	free(ask->request);
}

int ask_init(struct ask *out, const struct options *options, const struct request *request,
	     struct hp_err *err)
{
	struct ask ask = {.options = options,
			  .command = request->command,
			  .is_together = (request->flags & WIRE_TOGETHER) != 0};

	if (payload_path_find(&ask.payload_path, err) < 0 ||
	    request_encode(&ask.request, &ask.request_len, request, err) < 0) {
		ask_fini(&ask);
		return -1;
	}
	*out = ask;
	return 0;
}

struct span ask_request(const struct ask *ask)
{
	return (struct span){ask->request, ask->request_len};
}

struct session_options ask_session_options(const struct ask *ask, struct progress *progress)
{
	const struct options *options = ask->options;
	const bool is_shown = term_of(stderr, options->color).is_tty && !options->quiet;

	progress->to = is_shown ? stderr : NULL;
	return (struct session_options){
		.payload_path = ask->payload_path,
		.deadline = deadline_after_ns(options->timeout_ns),
		.interrupted = signals_flag(),
		.progress = progress_update,
		.progress_context = progress,
	};
}

int ask_judge(struct outcome *outcome, const struct ask *ask, struct session_result *result)
{
	const struct options *options = ask->options;
	const bool lingers = !result->worker_left;
	struct report report;
	int r;

	outcome->held_ns = result->held_ns;
	outcome->elapsed_ns = result->elapsed_ns;
	outcome->stops = result->stops;
	outcome->unsafe_stops = result->unsafe;
	r = report_decode(&report, (struct span){result->reply, result->reply_len},
			  &outcome->err);
	if (result->detour[0])
		snprintf(outcome->note, sizeof(outcome->note),
			 "let in by the interpreter itself: %.120s", result->detour);
	session_result_fini(result);
	if (r < 0)
		return -1;
	outcome_take_report(outcome, &report);
	if (!ask->is_together) /* else what another one has is enough */
		outcome_check_filters(outcome, options->module_count, options->path_count);
	if (lingers && !outcome->note[0])
		snprintf(outcome->note, sizeof(outcome->note),
			 "the thread that did the work had not ended yet when pyhotpatch left");
	return outcome->err.kind == HP_OK ? 0 : -1;
}

static int run_session(const struct ask *ask, const struct target *target,
		       struct outcome *outcome)
{
	struct progress progress = {.pid = target->pid};
	const struct session_options options = ask_session_options(ask, &progress);
	struct session_result result = {0};
	int r = session_run(&result, target, ask_request(ask), &options, &outcome->err);

	progress_end(&progress);
	return r < 0 ? -1 : ask_judge(outcome, ask, &result);
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

static void note_target(struct outcome *outcome, const struct target *target)
{
	outcome->inner_pid = proc_status_inner_pid(&target->status, outcome->pid);
	snprintf(outcome->python, sizeof(outcome->python), "%s", target->python.version);
	snprintf(outcome->command, sizeof(outcome->command), "%s", target->command);
}

/* Another pyhotpatch has a thread for some milliseconds. */
int ask_describe(struct target *out, const struct ask *ask, struct outcome *outcome)
{
	const struct deadline deadline = deadline_after_ns(ask->options->timeout_ns);
	const enum target_depth depth = ask->options->force ? TARGET_FORCED : TARGET_FULL;
	const struct timespec pause = {.tv_nsec = 2000000};

	for (;;) {
		if (target_describe(out, outcome->pid, depth, &outcome->err) == 0) {
			note_target(outcome, out);
			return 0;
		}
		if (outcome->err.kind != HP_TRACED || *signals_flag() ||
		    deadline_passed(deadline) || !rival_has(outcome->pid, outcome->pid))
			break;
		outcome->err = (struct hp_err){0};
		nanosleep(&pause, NULL);
	}
	outcome->inner_pid = proc_inner_pid(outcome->pid);
	return -1;
}

void ask_conclude(struct outcome *outcome, const struct ask *ask)
{
	if (outcome->err.kind != HP_OK)
		wrap(outcome);
	if (!ask->options->no_log)
		syslog_record(outcome);
}

void ask_process(const struct ask *ask, struct outcome *outcome)
{
	struct target target;

	if (*signals_flag()) {
		hp_err_set(&outcome->err, HP_INTERRUPTED, 0, "interrupted before it began");
	} else if (ask_describe(&target, ask, outcome) == 0) {
		(void)run_session(ask, &target, outcome);
		target_fini(&target);
	}
	ask_conclude(outcome, ask);
}
