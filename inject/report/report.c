/* SPDX-License-Identifier: MIT
 *
 * The reply is bytes from a foreign process: nothing in it is believed before it was checked
 * here.
 *
 * The invariant: every access goes through a reader that cannot leave the span, every string in
 * the result was neutralized, and *out is untouched unless the whole reply was good.
 */
#include "inject/report/report.h"

#include <stdlib.h>
#include <string.h>

#include "inject/report/text.h"
#include "inject/report/wording.h"

/* A record's fixed part and the NULs of its three strings, rounded up to eight. */
#define RECORD_MIN_SIZE 32u

static int check_header(const struct wire_reply *header, size_t room, struct hp_err *err)
{
	const uint64_t times[] = {header->gil_wait_ns, header->select_ns, header->compile_ns,
				  header->shadow_ns,   header->plan_ns,   header->commit_ns,
				  header->total_ns};

	if (header->magic != WIRE_MAGIC)
		return hp_err_set(err, HP_BAD_REPORT, 0, "no reply: wrong magic number");
	if (header->version != WIRE_VERSION)
		return hp_err_set(err, HP_BAD_REPORT, 0, "reply of version %u, expected %u",
				  header->version, WIRE_VERSION);
	if (header->status == WIRE_STATUS_NONE || header->status >= WIRE_STATUS_COUNT)
		return hp_err_set(err, HP_BAD_REPORT, 0, "unknown status %u in the reply",
				  header->status);
	if (header->used > room || header->used > WIRE_REPLY_SIZE)
		return hp_err_set(err, HP_BAD_REPORT, 0,
				  "reply claims %llu bytes of records, has room for %zu",
				  (unsigned long long)header->used, room);
	if (header->record_count > header->used / RECORD_MIN_SIZE)
		return hp_err_set(err, HP_BAD_REPORT, 0,
				  "reply claims %u records in %llu bytes", header->record_count,
				  (unsigned long long)header->used);
	if (header->python_version > UINT32_MAX)
		return hp_err_set(err, HP_BAD_REPORT, 0,
				  "impossible Python version in the reply");
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		if (times[i] > INT64_MAX)
			return hp_err_set(err, HP_BAD_REPORT, 0,
					  "impossible time in the reply");
	return 0;
}

/* Where the neutralized strings go; the room was reckoned beforehand. */
struct string_store {
	char *data;
	size_t used;
};

/* The next string of the record, put into the text and neutralized; NULL when none ends inside
 * the record. */
static const char *take_string(struct reader *r, struct string_store *store,
			       enum wire_text wording, enum text_shape shape)
{
	const char *raw = reader_take_string(r);
	char *string = store->data + store->used;

	if (!raw)
		return NULL;
	store->used += wording_expand(string, wording, raw, shape) + 1;
	return string;
}

static bool only_padding_left(const struct reader *r)
{
	if (r->failed || r->span.len - r->at >= 8)
		return false;
	for (size_t i = r->at; i < r->span.len; i++)
		if (r->span.data[i])
			return false;
	return true;
}

static int decode_record(struct report_record *out, struct reader *r,
			 struct string_store *store, struct hp_err *err)
{
	struct wire_record wire;
	size_t start = r->at;

	if (!reader_take(r, &wire, sizeof(wire)))
		return hp_err_set(err, HP_BAD_REPORT, 0, "the reply ends inside a record");
	if (wire.size < RECORD_MIN_SIZE || wire.size % 8 || wire.size > r->span.len - start)
		return hp_err_set(err, HP_BAD_REPORT, 0,
				  "a record claims %u bytes, %zu are left", wire.size,
				  r->span.len - start);
	if (!wire.kind || wire.kind >= WIRE_RECORD_KIND_COUNT ||
	    wire.action >= WIRE_ACTION_COUNT || wire.wording >= WIRE_TEXT_COUNT)
		return hp_err_set(err, HP_BAD_REPORT, 0,
				  "a record of unknown kind %u, action %u, text %u", wire.kind,
				  wire.action, wire.wording);

	struct reader body =
		reader_of((struct span){r->span.data + r->at, wire.size - sizeof(wire)});
	enum text_shape shape = wire.kind == WIRE_RECORD_ERROR ? TEXT_LINES : TEXT_ONE_LINE;
	struct report_record record = {
		.kind = wire.kind,
		.action = wire.action,
		.line = wire.line,
		.count = wire.count,
		.value = wire.value,
	};
	record.module = take_string(&body, store, WIRE_TEXT_NONE, TEXT_ONE_LINE);
	record.name = take_string(&body, store, WIRE_TEXT_NONE, TEXT_ONE_LINE);
	record.text = take_string(&body, store, wire.wording, shape);
	if (!only_padding_left(&body))
		return hp_err_set(err, HP_BAD_REPORT, 0, "a record's strings do not fill it");
	r->at = start + wire.size;
	*out = record;
	return 0;
}

static int decode_records(struct report *report, struct span bytes, struct hp_err *err)
{
	struct reader r = reader_of(bytes);
	struct string_store store;
	size_t count = report->header.record_count;

	report->records = calloc(count + 1, sizeof(*report->records));
	report->strings = malloc(TEXT_GROWTH * bytes.len + count * wording_longest() + 1);
	if (!report->records || !report->strings)
		return hp_err_set(err, HP_SYSTEM, 0, "no memory for a report of %zu bytes",
				  bytes.len);
	store = (struct string_store){report->strings, 0};
	for (; report->count < count; report->count++)
		if (decode_record(&report->records[report->count], &r, &store, err) < 0)
			return -1;
	if (r.at != bytes.len)
		return hp_err_set(err, HP_BAD_REPORT, 0, "%zu bytes after the last record",
				  bytes.len - r.at);
	return 0;
}

int report_decode(struct report *out, struct span reply, struct hp_err *err)
{
	struct reader r = reader_of(reply);
	struct report report = {0};

	if (!reader_take(&r, &report.header, sizeof(report.header)))
		return hp_err_set(err, HP_BAD_REPORT, 0, "a reply of only %zu bytes",
				  reply.len);
	if (check_header(&report.header, reply.len - r.at, err) < 0)
		return -1;
	if (decode_records(&report, (struct span){reply.data + r.at, report.header.used}, err) <
	    0) {
		report_fini(&report);
		return -1;
	}
	*out = report;
	return 0;
}

void report_fini(struct report *report)
{
	free(report->records);
	free(report->strings);
	*report = (struct report){0};
}
