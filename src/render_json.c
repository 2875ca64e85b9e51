/* SPDX-License-Identifier: MIT
 *
 * Results for programs; the only part that knows jansson.
 *
 * The invariant: one call writes one object on one line, of the shape that pyhotpatch(1)
 * documents, with every key present. jansson refuses strings that are not UTF-8, so foreign
 * ones go through text_neutralize() first.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "inject/report/text.h"
#include "src/changes.h"
#include "src/render.h"

#define REPORT_VERSION 1

/* A string that may be anything; "" becomes null, because it means "not known". */
static json_t *text_or_null(const char *text)
{
	char *clean = text[0] ? text_neutralize_dup(text, TEXT_LINES) : NULL;
	json_t *json = clean ? json_string(clean) : json_null();

	free(clean);
	return json;
}

static json_t *pid_or_null(pid_t pid)
{
	return pid ? json_integer(pid) : json_null();
}

static json_t *milliseconds(uint64_t ns)
{
	return json_real((double)ns / 1e6);
}

static json_t *error_object(const struct hp_err *err)
{
	if (err->kind == HP_OK)
		return json_null();
	return json_pack("{s:s, s:i, s:o, s:o, s:o, s:o}", "kind", hp_err_kind_name(err->kind),
			 "exit_status", hp_err_exit_status(err->kind), "obstacle",
			 text_or_null(hp_obstacle_name(err->obstacle)), "message",
			 text_or_null(err->text), "hint", text_or_null(hp_err_hint_of(err)),
			 "not_put_back", text_or_null(err->undo_text));
}

static json_t *error_list(const struct hp_err *errors, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, error_object(&errors[i]));
	return list;
}

/* Write the object and give it up. JSON_REAL_PRECISION keeps 0.1 from reading
 * 0.10000000000000001. */
static void put_object(FILE *to, json_t *object)
{
	if (!object || json_dumpf(object, to, JSON_COMPACT | JSON_REAL_PRECISION(9)) < 0)
		fputs("{\"version\":1,\"status\":\"error\",\"error\":{\"kind\":\"INTERNAL\","
		      "\"message\":\"no memory left for the report\"}}",
		      to);
	fputc('\n', to);
	json_decref(object);
}

static json_t *timings_object(const struct outcome *outcome)
{
	const struct wire_reply *reply = &outcome->report.header;

	return json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "total",
		milliseconds((uint64_t)outcome->elapsed_ns), "held",
		milliseconds((uint64_t)outcome->held_ns), "in_target",
		milliseconds(reply->total_ns), "gil_wait", milliseconds(reply->gil_wait_ns),
		"select", milliseconds(reply->select_ns), "compile",
		milliseconds(reply->compile_ns), "new_code", milliseconds(reply->shadow_ns),
		"plan", milliseconds(reply->plan_ns), "commit", milliseconds(reply->commit_ns));
}

static json_t *change_object(const struct report_record *record)
{
	return json_pack("{s:s, s:s, s:s, s:o, s:I, s:I, s:I}", "kind",
			 record_kind_name(record->kind), "action",
			 record_action_name(record->action), "name", record->name, "text",
			 text_or_null(record->text), "line", (json_int_t)record->line, "count",
			 (json_int_t)record->count, "items",
			 record->kind == WIRE_RECORD_NAME ? (json_int_t)record->value : 0);
}

static json_t *module_object(const struct module_changes *module)
{
	const struct report_record *record = module->module;
	bool has_reason = record && (record->action == WIRE_ACTION_SKIPPED ||
				     record->action == WIRE_ACTION_REFUSED);
	json_t *list = json_array();

	for (size_t i = 0; i < module->count; i++)
		json_array_append_new(list, change_object(module->items[i]));
	return json_pack("{s:s, s:o, s:o, s:s, s:o, s:o}", "name", module->name, "file",
			 record && !has_reason ? text_or_null(record->text) : json_null(),
			 "sha256", record ? text_or_null(record->name) : json_null(), "action",
			 record ? record_action_name(record->action) : "", "reason",
			 has_reason ? text_or_null(record->text) : json_null(), "changes",
			 list);
}

static json_t *module_list(const struct report *report)
{
	struct changes changes;
	json_t *list;

	if (changes_group(&changes, report) < 0)
		return NULL;
	list = json_array();
	for (size_t i = 0; i < changes.count; i++)
		json_array_append_new(list, module_object(&changes.modules[i]));
	changes_fini(&changes);
	return list;
}

/* RFC 3339, in UTC */
static json_t *time_string(uint64_t ns)
{
	time_t seconds = (time_t)(ns / 1000000000);
	char text[40];
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) ||
	    !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
		return json_null();
	return json_string(text);
}

/* What a status or rollback tells of, the last attach first. */
static json_t *attach_list(const struct report *report)
{
	const struct report_record *attach;
	json_t *list = json_array();
	struct report part;
	size_t at = 0;

	while ((attach = changes_next_attach(&part, report, &at)))
		json_array_append_new(list, json_pack("{s:I, s:o, s:o}", "number",
						      (json_int_t)attach->count, "time",
						      time_string(attach->value), "modules",
						      module_list(&part)));
	return list;
}

static json_t *warning_object(const struct report_record *record)
{
	return json_pack("{s:o, s:o, s:s}", "module", text_or_null(record->module), "name",
			 text_or_null(record->name), "text", record->text);
}

static json_t *frame_object(const struct report_record *record)
{
	return json_pack("{s:o, s:s, s:o, s:I, s:I, s:o, s:b}", "module",
			 text_or_null(record->module), "function", record->name, "file",
			 text_or_null(record->text), "line", (json_int_t)record->line, "count",
			 (json_int_t)record->count, "thread",
			 record->value ? json_integer((json_int_t)record->value) : json_null(),
			 "waits", record->action == WIRE_ACTION_WAITING);
}

static json_t *source_error_object(const struct report_record *record)
{
	return json_pack("{s:o, s:s}", "module", text_or_null(record->module), "text",
			 record->text);
}

static json_t *record_list(const struct report *report, enum wire_record_kind kind,
			   json_t *(*object)(const struct report_record *))
{
	json_t *list = json_array();

	for (size_t i = 0; i < report->count; i++)
		if (report->records[i].kind == kind)
			json_array_append_new(list, object(&report->records[i]));
	return list;
}

static json_t *warning_list(const struct outcome *outcome)
{
	json_t *list = record_list(&outcome->report, WIRE_RECORD_WARNING, warning_object);

	if (outcome->note[0])
		json_array_append_new(
			list, warning_object(&(struct report_record){
				      .module = "", .name = "", .text = outcome->note}));
	return list;
}

static json_t *undo_string(const struct outcome *outcome)
{
	char undo[64];

	return outcome_undo(undo, sizeof(undo), outcome) ? json_string(undo) : json_null();
}

void render_json_outcome(FILE *to, const struct outcome *outcome)
{
	const struct report *report = &outcome->report;
	bool by_attach = outcome->operation == WIRE_COMMAND_STATUS ||
			 outcome->operation == WIRE_COMMAND_ROLLBACK;
	json_t *root = json_object();

	json_object_set_new(root, "version", json_integer(REPORT_VERSION));
	json_object_set_new(root, "operation", json_string(outcome_operation(outcome)));
	json_object_set_new(root, "pid", json_integer(outcome->pid));
	json_object_set_new(root, "inner_pid", pid_or_null(outcome->inner_pid));
	json_object_set_new(root, "status", json_string(outcome_status(outcome)));
	json_object_set_new(root, "exit_status", json_integer(outcome_exit_status(outcome)));
	json_object_set_new(root, "error", error_object(&outcome->err));
	json_object_set_new(root, "python", text_or_null(outcome->python));
	json_object_set_new(root, "command", text_or_null(outcome->command));
	json_object_set_new(root, "timings_ms", timings_object(outcome));
	json_object_set_new(root, "stops", json_integer(outcome->stops));
	json_object_set_new(root, "unsafe_stops", json_integer(outcome->unsafe_stops));
	json_object_set_new(root, "modules_looked",
			    json_integer(report->header.modules_looked));
	json_object_set_new(root, "modules",
			    by_attach && outcome->err.kind == HP_OK ? json_array()
								    : module_list(report));
	json_object_set_new(root, "attaches", attach_list(report));
	json_object_set_new(root, "warnings", warning_list(outcome));
	json_object_set_new(root, "frames",
			    record_list(report, WIRE_RECORD_FRAME, frame_object));
	json_object_set_new(root, "source_errors",
			    record_list(report, WIRE_RECORD_ERROR, source_error_object));
	json_object_set_new(root, "undo", undo_string(outcome));
	json_object_set_new(root, "truncated", json_integer(report->header.truncated));
	put_object(to, root);
}

static json_t *process_object(const struct process_info *info)
{
	return json_pack("{s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:b}", "version", REPORT_VERSION,
			 "pid", (int)info->pid, "inner_pid", pid_or_null(info->inner_pid),
			 "python", text_or_null(info->python), "user", text_or_null(info->user),
			 "command", text_or_null(info->command), "uptime_s",
			 info->uptime_s < 0 ? json_null() : json_integer(info->uptime_s),
			 "attachable", info->obstacle_count == 0);
}

void render_json_list_entry(FILE *to, const struct process_info *info)
{
	json_t *root = process_object(info);

	json_object_set_new(root, "obstacle",
			    info->obstacle_count ? error_object(&info->obstacles[0])
						 : json_null());
	put_object(to, root);
}

void render_json_doctor(FILE *to, const struct process_info *info)
{
	json_t *root = process_object(info);

	json_object_set_new(root, "exit_status", json_integer(process_info_exit_status(info)));
	json_object_set_new(root, "obstacles",
			    error_list(info->obstacles, info->obstacle_count));
	put_object(to, root);
}

void render_json_machine(FILE *to, const struct machine_info *info)
{
	put_object(to,
		   json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o}", "version", REPORT_VERSION,
			     "user", text_or_null(info->user), "cap_sys_ptrace",
			     info->may_trace < 0 ? json_null() : json_boolean(info->may_trace),
			     "yama", info->yama < 0 ? json_null() : json_integer(info->yama),
			     "payload", text_or_null(info->payload), "libunwind",
			     text_or_null(info->libunwind), "obstacles",
			     error_list(info->obstacles, info->obstacle_count)));
}
