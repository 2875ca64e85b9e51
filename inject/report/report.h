/* SPDX-License-Identifier: MIT
 *
 * Untrusted reply bytes to struct report. Validated once, here: counts, sizes, kinds, UTF-8;
 * control characters and terminal escapes are replaced, so that whoever prints may print.
 */
#ifndef INJECT_REPORT_REPORT_H
#define INJECT_REPORT_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "inject/base/err.h"
#include "inject/base/span.h"
#include "payload/wire.h"

struct report_record {
	enum wire_record_kind kind;
	enum wire_action action;
	/* borrowed from report.strings; never NULL, may be "" */
	const char *module, *name, *text;
	uint32_t line, count;
	uint64_t value;
};

struct report {
	struct wire_reply header; /* validated copy */
	struct report_record *records;
	size_t count;
	char *strings;
};

/* Returns -1 with HP_BAD_REPORT when the bytes are not a reply. */
HP_MUST_CHECK int report_decode(struct report *out, struct span reply, struct hp_err *err);
void report_fini(struct report *report);

/* What is asked of the payload. */
struct request {
	enum wire_command command;
	uint32_t flags;    /* enum wire_request_flags */
	uint32_t argument; /* what it is, the command says */
	const char *const *modules;
	size_t module_count;
	const char *const *paths;
	size_t path_count;
};

/* Make the request for the payload; owned bytes. */
HP_MUST_CHECK int request_encode(uint8_t **out, size_t *len_out, const struct request *request,
				 struct hp_err *err);

#endif
