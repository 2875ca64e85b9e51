/* SPDX-License-Identifier: MIT
 *
 * The reply. Its invariant: header.used and header.record_count always describe whole records.
 */
#include "payload/job/reply.h"

#include "payload/base/freestanding.h"

/* Records start behind the header; both are 8-aligned. */
static char *records_of(const struct reply *reply)
{
	return (char *)(reply->header + 1);
}

void reply_init(struct reply *out, struct wire_channel *channel)
{
	out->header = (struct wire_reply *)((char *)channel + channel->reply_offset);
	out->capacity = channel->reply_capacity - sizeof(*out->header);
	memset(out->header, 0, sizeof(*out->header));
	out->header->magic = WIRE_MAGIC;
	out->header->version = WIRE_VERSION;
}

void reply_clear(struct reply *reply)
{
	reply->header->used = 0;
	reply->header->record_count = 0;
	reply->header->truncated = 0;
}

struct reply_mark reply_mark(const struct reply *reply)
{
	return (struct reply_mark){.used = reply->header->used,
				   .record_count = reply->header->record_count,
				   .truncated = reply->header->truncated};
}

void reply_cut(struct reply *reply, struct reply_mark mark)
{
	reply->header->used = mark.used;
	reply->header->record_count = mark.record_count;
	reply->header->truncated = mark.truncated;
}

static char *append(char *to, const char *text, size_t length)
{
	memcpy(to, text, length);
	to[length] = '\0';
	return to + length + 1;
}

void reply_add(struct reply *reply, const struct reply_item *item)
{
	const char *module = item->module ? item->module : "";
	const char *name = item->name ? item->name : "";
	const char *text = item->text ? item->text : "";
	size_t module_size = strlen(module), name_size = strlen(name), text_size = strlen(text);
	size_t size = sizeof(struct wire_record) + module_size + name_size + text_size + 3;
	size_t padded = (size + 7) & ~(size_t)7;

	if (padded > reply->capacity - reply->header->used) {
		reply->header->truncated++;
		return;
	}
	char *at = records_of(reply) + reply->header->used;
	struct wire_record record = {
		.kind = (uint8_t)item->kind,
		.wording = (uint8_t)item->wording,
		.action = (uint16_t)item->action,
		.size = (uint32_t)padded,
		.line = item->line,
		.count = item->count,
		.value = item->value,
	};
	memcpy(at, &record, sizeof(record));
	char *end = append(at + sizeof(record), module, module_size);
	end = append(end, name, name_size);
	end = append(end, text, text_size);
	memset(end, 0, padded - size);
	reply->header->used += padded;
	reply->header->record_count++;
}
