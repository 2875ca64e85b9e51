/* SPDX-License-Identifier: MIT
 *
 * Records of a reply, read back. The invariant: no byte beyond a record is read, whatever the
 * program put in the place of what we left.
 */
#include "payload/record/replay.h"

#include "payload/base/freestanding.h"
#include "payload/record/history.h"

/* The string at *at, which ends before `end`; NULL when none does. */
static const char *take_string(const char **at, const char *end)
{
	const char *string = *at;

	while (*at < end && **at)
		(*at)++;
	if (*at == end)
		return NULL;
	(*at)++;
	return string;
}

static enum wire_action inverse_of(uint16_t action)
{
	switch (action) {
	case WIRE_ACTION_ADDED:
		return WIRE_ACTION_REMOVED;
	case WIRE_ACTION_REMOVED:
		return WIRE_ACTION_ADDED;
	case WIRE_ACTION_LOST:
		return WIRE_ACTION_CHANGED;
	default:
		return (enum wire_action)action;
	}
}

static int is_change(const struct wire_record *record)
{
	return record->kind >= WIRE_RECORD_MODULE && record->kind <= WIRE_RECORD_INSTANCES &&
	       record->action != WIRE_ACTION_KEPT && record->action != WIRE_ACTION_SKIPPED;
}

static int replay_one(struct job *job, const struct wire_record *record, const char *at,
		      int is_undone)
{
	const char *end = at + record->size - sizeof(*record);
	const char *module = take_string(&at, end);
	const char *name = module ? take_string(&at, end) : NULL;
	const char *text = name ? take_string(&at, end) : NULL;

	if (!text)
		return -1;
	if (is_change(record))
		job_note(job,
			 &(struct reply_item){.kind = (enum wire_record_kind)record->kind,
					      .action = is_undone ? inverse_of(record->action)
								  : record->action,
					      .module = module,
					      .name = name,
					      .text = text,
					      .line = record->line,
					      .count = record->count,
					      .value = record->value},
			 NULL);
	return 0;
}

static int replay(struct job *job, PyObject *report, int is_undone)
{
	struct wire_record record;
	Py_ssize_t size;
	char *at;

	if (PyBytes_AsStringAndSize(report, &at, &size))
		return -1;
	for (; size >= (Py_ssize_t)sizeof(record); size -= record.size, at += record.size) {
		memcpy(&record, at, sizeof(record));
		if (record.size < sizeof(record) || record.size > (size_t)size ||
		    replay_one(job, &record, at + sizeof(record), is_undone)) {
			PyErr_SetString(job->world.error,
					"the report of the attach is damaged");
			return -1;
		}
	}
	return 0;
}

void replay_attach(struct job *job, PyObject *history_entry, Py_ssize_t number, int is_undone)
{
	PyObject *time = PyTuple_GetItem(history_entry, HISTORY_TIME);

	job_note(job,
		 &(struct reply_item){.kind = WIRE_RECORD_ATTACH,
				      .action = is_undone ? WIRE_ACTION_REMOVED
							  : WIRE_ACTION_CHANGED,
				      .count = (uint32_t)number,
				      .value = (uint64_t)PyLong_AsLong(time)},
		 NULL);
}

int replay_changes(struct job *job, PyObject *history_entry, int is_undone)
{
	return replay(job, PyTuple_GetItem(history_entry, HISTORY_REPORT), is_undone);
}
