/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/report/report.h"
#include "tests/unit/reply_builder.h"

static struct reply_builder builder;

static struct span good_reply(void)
{
	reply_begin(&builder, WIRE_STATUS_APPLIED);
	builder.header.commit_ns = 1500;
	builder.header.python_version = 0x030c01f0;
	reply_add(
		&builder,
		(struct wire_record){.kind = WIRE_RECORD_MODULE, .action = WIRE_ACTION_CHANGED},
		"shop", "shop", "/srv/shop.py");
	reply_add(&builder,
		  (struct wire_record){.kind = WIRE_RECORD_FUNCTION,
				       .action = WIRE_ACTION_ADDED,
				       .line = 7,
				       .count = 2},
		  "shop", "Cart.total", "");
	reply_add(&builder, (struct wire_record){.kind = WIRE_RECORD_ERROR}, "shop", "",
		  "Traceback:\n\tx\x1b[2J");
	return reply_end(&builder);
}

static void refuse(struct span reply, const char *why)
{
	struct report report = {.count = 77};
	struct hp_err err;

	cr_assert(eq(int, report_decode(&report, reply, &err), -1), "accepted: %s", why);
	cr_assert(eq(int, err.kind, HP_BAD_REPORT));
	cr_assert(eq(sz, report.count, 77), "result touched: %s", why);
}

Test(report, a_good_reply_is_decoded)
{
	struct report report;
	struct hp_err err;

	cr_assert(eq(int, report_decode(&report, good_reply(), &err), 0), "%s", err.text);
	cr_assert(eq(sz, report.count, 3));
	cr_assert(eq(int, report.header.status, WIRE_STATUS_APPLIED));
	cr_assert(eq(u64, report.header.commit_ns, 1500));
	cr_assert(eq(str, report.records[0].text, "/srv/shop.py"));
	cr_assert(eq(int, report.records[1].kind, WIRE_RECORD_FUNCTION));
	cr_assert(eq(int, report.records[1].action, WIRE_ACTION_ADDED));
	cr_assert(eq(str, report.records[1].module, "shop"));
	cr_assert(eq(str, report.records[1].name, "Cart.total"));
	cr_assert(eq(u32, report.records[1].line, 7));
	cr_assert(eq(u32, report.records[1].count, 2));
	report_fini(&report);
}

Test(report, error_texts_keep_lines_but_no_escapes)
{
	struct report report;
	struct hp_err err;

	cr_assert(eq(int, report_decode(&report, good_reply(), &err), 0), "%s", err.text);
	cr_assert(eq(str, report.records[2].text, "Traceback:\n\tx\\x1b[2J"));
	report_fini(&report);
}

Test(report, other_texts_are_one_line)
{
	struct report report;
	struct hp_err err;

	reply_begin(&builder, WIRE_STATUS_APPLIED);
	reply_add(&builder, (struct wire_record){.kind = WIRE_RECORD_WARNING}, "a\nb", "c\xff",
		  "d\te");
	cr_assert(eq(int, report_decode(&report, reply_end(&builder), &err), 0));
	cr_assert(eq(str, report.records[0].module, "a\\x0ab"));
	cr_assert(eq(str, report.records[0].name, "c\xef\xbf\xbd"));
	cr_assert(eq(str, report.records[0].text, "d\\x09e"));
	report_fini(&report);
}

/* The text of a record that warns by this text and these arguments. */
static void check_wording(enum wire_text wording, const char *arguments, const char *expected)
{
	struct report report;
	struct hp_err err;

	reply_begin(&builder, WIRE_STATUS_APPLIED);
	reply_add(
		&builder,
		(struct wire_record){.kind = WIRE_RECORD_WARNING, .wording = (uint8_t)wording},
		"m", "n", arguments);
	cr_assert(eq(int, report_decode(&report, reply_end(&builder), &err), 0));
	cr_assert(eq(str, report.records[0].text, expected));
	report_fini(&report);
}

Test(report, numbers_become_texts)
{
	check_wording(WIRE_TEXT_BUILT_IN, "", "it is built into the interpreter");
	check_wording(WIRE_TEXT_BUILT_IN, "more", "it is built into the interpreter");
	check_wording(WIRE_TEXT_NOT_RUN, "7",
		      "line 7 changed, but was not run: it would start the script again");
	check_wording(WIRE_TEXT_NO_ATTACH, "3" WIRE_NEXT "2",
		      "there is no attach 3: the last one is 2");
}

Test(report, arguments_may_be_anything)
{
	check_wording(WIRE_TEXT_NONE, "100 %" WIRE_NEXT, "100 %\\x1f");
	check_wording(WIRE_TEXT_BASES, "", "class  cannot have its new bases: ");
	check_wording(WIRE_TEXT_BASES, "A%" WIRE_NEXT "%\n" WIRE_NEXT "%",
		      "class A% cannot have its new bases: %\\x0a\\x1f%");
}

/* As many as fit, each as long as can be: the room for them was reckoned beforehand. */
Test(report, longest_texts_have_room)
{
	struct report report;
	struct hp_err err;

	reply_begin(&builder, WIRE_STATUS_APPLIED);
	for (int i = 0; i < 1000; i++)
		reply_add(&builder,
			  (struct wire_record){.kind = WIRE_RECORD_WARNING,
					       .wording = WIRE_TEXT_OLD_PYC},
			  "\1", "\1\1", "");
	cr_assert(eq(int, report_decode(&report, reply_end(&builder), &err), 0));
	cr_assert(eq(sz, report.count, 1000));
	report_fini(&report);
}

Test(report, bytes_after_the_used_ones_are_ignored)
{
	struct report report;
	struct hp_err err;
	struct span reply = good_reply();

	memset(builder.bytes + reply.len, 0xee, 100);
	reply.len += 100;
	cr_assert(eq(int, report_decode(&report, reply, &err), 0));
	cr_assert(eq(sz, report.count, 3));
	report_fini(&report);
}

Test(report, every_cut_is_refused)
{
	struct span reply = good_reply();

	/* an exact allocation, so that a sanitizer sees a read past the end */
	for (size_t len = 0; len < reply.len; len++) {
		uint8_t *copy = malloc(len ? len : 1);
		memcpy(copy, reply.data, len);
		refuse((struct span){copy, len}, "cut");
		free(copy);
	}
}

Test(report, bad_headers_are_refused)
{
	struct wire_reply good;

	good_reply();
	good = builder.header;
#define BAD(field, value)                                                                      \
	do {                                                                                   \
		builder.header = good;                                                         \
		builder.header.field = (value);                                                \
		refuse(reply_end(&builder), #field " = " #value);                              \
	} while (0)
	BAD(magic, 0);
	BAD(version, WIRE_VERSION + 1);
	BAD(status, WIRE_STATUS_NONE);
	BAD(status, WIRE_STATUS_COUNT);
	BAD(status, UINT32_MAX);
	BAD(used, UINT64_MAX);
	BAD(used, good.used + 8);
	BAD(used, good.used - 8);
	BAD(used, 0);
	BAD(record_count, UINT32_MAX);
	BAD(record_count, 2);
	BAD(record_count, 4);
	BAD(python_version, 1ull << 32);
	BAD(total_ns, 1ull << 63);
	BAD(gil_wait_ns, UINT64_MAX);
#undef BAD
}

static void patch_record(struct wire_record record, const char *why)
{
	struct span reply = good_reply();

	memcpy(builder.bytes + sizeof(struct wire_reply), &record, sizeof(record));
	refuse(reply, why);
}

Test(report, bad_records_are_refused)
{
	struct wire_record good;

	good_reply();
	memcpy(&good, builder.bytes + sizeof(struct wire_reply), sizeof(good));
#define BAD(field, value)                                                                      \
	do {                                                                                   \
		struct wire_record bad = good;                                                 \
		bad.field = (value);                                                           \
		patch_record(bad, #field " = " #value);                                        \
	} while (0)
	BAD(kind, 0);
	BAD(kind, WIRE_RECORD_KIND_COUNT);
	BAD(kind, UINT8_MAX);
	BAD(wording, WIRE_TEXT_COUNT);
	BAD(wording, UINT8_MAX);
	BAD(action, WIRE_ACTION_COUNT);
	BAD(size, 0);
	BAD(size, 24);
	BAD(size, good.size + 1);
	BAD(size, good.size + 8);
	BAD(size, good.size - 8);
	BAD(size, UINT32_MAX);
	BAD(size, UINT32_MAX - 7);
#undef BAD
}

Test(report, strings_without_end_and_dirty_padding_are_refused)
{
	struct span reply = good_reply();
	size_t first = sizeof(struct wire_reply), end = first + 48;

	builder.bytes[end - 1] = 'x';
	refuse(reply, "dirty padding or missing NUL");

	reply = good_reply();
	memset(builder.bytes + first + sizeof(struct wire_record), 'x', 24);
	refuse(reply, "no NUL in the record");
}

/* xorshift: the same garbage in every run. */
static uint32_t noise(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

Test(report, garbage_never_harms)
{
	uint32_t state = 1;
	unsigned accepted = 0;

	for (int round = 0; round < 20000; round++) {
		struct span reply = good_reply();
		struct report report;
		struct hp_err err;

		for (uint32_t hits = noise(&state) % 8; hits > 0; hits--)
			builder.bytes[noise(&state) % reply.len] = (uint8_t)noise(&state);
		if (report_decode(&report, reply, &err) < 0) {
			cr_assert(eq(int, err.kind, HP_BAD_REPORT));
			continue;
		}
		accepted++;
		for (size_t i = 0; i < report.count; i++)
			for (const char *s = report.records[i].text; *s; s++)
				cr_assert(ne(chr, *s, '\x1b'));
		report_fini(&report);
	}
	cr_assert(accepted > 0 && accepted < 20000);
}

Test(report, request_holds_flags_and_names)
{
	const char *names[] = {"shop", "shop.cart"}, *paths[] = {"/srv"};
	struct wire_request header;
	uint8_t *bytes;
	struct hp_err err;
	size_t len;

	const struct request request = {
		.command = WIRE_COMMAND_ROLLBACK,
		.flags = WIRE_RERUN,
		.argument = 7,
		.modules = names,
		.module_count = 2,
		.paths = paths,
		.path_count = 1,
	};

	cr_assert(eq(int, request_encode(&bytes, &len, &request, &err), 0));
	cr_assert(eq(sz, len, sizeof(header) + 20));
	memcpy(&header, bytes, sizeof(header));
	cr_assert(eq(u32, header.magic, WIRE_MAGIC));
	cr_assert(eq(u32, header.version, WIRE_VERSION));
	cr_assert(eq(u32, header.command, WIRE_COMMAND_ROLLBACK));
	cr_assert(eq(u32, header.flags, WIRE_RERUN));
	cr_assert(eq(u32, header.argument, 7));
	cr_assert(eq(u32, header.module_count, 2));
	cr_assert(eq(u32, header.path_count, 1));
	cr_assert(eq(u32, header.strings_size, 20));
	cr_assert(eq(int, memcmp(bytes + sizeof(header), "shop\0shop.cart\0/srv", 20), 0));
	free(bytes);
}

Test(report, request_without_names)
{
	uint8_t *bytes;
	struct hp_err err;
	size_t len;

	const struct request request = {.command = WIRE_COMMAND_STATUS};

	cr_assert(eq(int, request_encode(&bytes, &len, &request, &err), 0));
	cr_assert(eq(sz, len, sizeof(struct wire_request)));
	free(bytes);
}

Test(report, request_refuses_empty_and_endless_names)
{
	static char big[300 << 10];
	const char *names[] = {"shop", ""}, *endless[] = {big};
	uint8_t *bytes = NULL;
	struct hp_err err;
	size_t len;

	memset(big, 'x', sizeof(big) - 1);
	struct request request = {
		.command = WIRE_COMMAND_ATTACH, .modules = names, .module_count = 2};

	cr_assert(eq(int, request_encode(&bytes, &len, &request, &err), -1));
	cr_assert(eq(int, err.kind, HP_USAGE));
	request.modules = endless;
	request.module_count = 1;
	cr_assert(eq(int, request_encode(&bytes, &len, &request, &err), -1));
	cr_assert(eq(int, err.kind, HP_USAGE));
	cr_assert(bytes == NULL);
}
