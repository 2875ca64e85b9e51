/* SPDX-License-Identifier: MIT
 *
 * The reply, written record by record into memory shared with the program outside.
 */
#ifndef PAYLOAD_JOB_REPLY_H
#define PAYLOAD_JOB_REPLY_H

#include "payload/wire.h"

struct reply {
	struct wire_reply *header; /* borrowed: lies in the channel's memory */
	uint64_t capacity;         /* bytes for records */
};

void reply_init(struct reply *out, struct wire_channel *channel);

/* Forgets every record. What was planned is not what happened when the plan failed. */
void reply_clear(struct reply *reply);

/* The records so far; reply_cut forgets those that came after. */
struct reply_mark {
	uint64_t used;
	uint32_t record_count, truncated;
};
struct reply_mark reply_mark(const struct reply *reply);
void reply_cut(struct reply *reply, struct reply_mark mark);

struct reply_item {
	enum wire_record_kind kind;
	enum wire_action action;
	enum wire_text wording;
	const char *module, *name, *text; /* NULL counts as "" */
	uint32_t line, count;
	uint64_t value;
};

/* A record that does not fit is counted in wire_reply.truncated. */
void reply_add(struct reply *reply, const struct reply_item *item);

#endif
