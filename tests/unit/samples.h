/* SPDX-License-Identifier: MIT
 *
 * Results to be rendered, one of each kind, and the comparison with golden files: with
 * HP_UPDATE_GOLDEN=1 these are written anew; read the difference before it is committed.
 */
#ifndef TESTS_UNIT_SAMPLES_H
#define TESTS_UNIT_SAMPLES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "src/outcome.h"
#include "src/process_info.h"
#include "tests/unit/reply_builder.h"

static struct reply_builder builder;

static inline void add(enum wire_record_kind kind, enum wire_action action, const char *module,
		       const char *name, const char *text)
{
	reply_add(&builder, (struct wire_record){.kind = kind, .action = action}, module, name,
		  text);
}

static inline struct outcome end_reply(void)
{
	struct outcome outcome = {
		.pid = 4711,
		.operation = WIRE_COMMAND_ATTACH,
		.python = "3.12.1",
		.command = "gunicorn: worker [shop]\x1b[31m",
		.elapsed_ns = 5123456,
		.held_ns = 204000,
		.stops = 2,
		.unsafe_stops = 1,
	};
	struct report report;
	struct hp_err err;

	builder.header.modules_looked = 212;
	builder.header.gil_wait_ns = 1100000;
	builder.header.select_ns = 700000;
	builder.header.commit_ns = 90000;
	builder.header.total_ns = 2500000;
	builder.header.python_version = 0x030c01f0;
	cr_assert(eq(int, report_decode(&report, reply_end(&builder), &err), 0), "%s",
		  err.text);
	outcome_take_report(&outcome, &report);
	if (outcome.err.kind != HP_OK)
		hp_err_wrap(&outcome.err, "attach to process %d", (int)outcome.pid);
	return outcome;
}

/* A bit of everything; the records of one module are not in one piece. */
static inline struct outcome applied(void)
{
	reply_begin(&builder, WIRE_STATUS_APPLIED);
	add(WIRE_RECORD_MODULE, WIRE_ACTION_CHANGED, "shop.cart", "", "/srv/shop/cart.py");
	add(WIRE_RECORD_FUNCTION, WIRE_ACTION_CHANGED, "shop.cart", "Cart.total", "");
	add(WIRE_RECORD_NAME, WIRE_ACTION_KEPT, "shop.cart", "SESSIONS", "");
	add(WIRE_RECORD_MODULE, WIRE_ACTION_CHANGED, "a.views", "", "/srv/a/views.py");
	add(WIRE_RECORD_FUNCTION, WIRE_ACTION_ADDED, "shop.cart", "Cart.discount_of_the_day",
	    "");
	add(WIRE_RECORD_FUNCTION, WIRE_ACTION_CHANGED, "shop.cart", "checkout", "");
	add(WIRE_RECORD_FUNCTION, WIRE_ACTION_CHANGED, "shop.cart",
	    "make_handler.<locals>.handler_with_a_rather_long_name", "");
	add(WIRE_RECORD_FUNCTION, WIRE_ACTION_REMOVED, "shop.cart", "old_total", "");
	add(WIRE_RECORD_CLASS, WIRE_ACTION_CHANGED, "shop.cart", "Cart", "");
	add(WIRE_RECORD_CLASS, WIRE_ACTION_MIGRATED, "shop.cart", "Order", "");
	reply_add(&builder,
		  (struct wire_record){.kind = WIRE_RECORD_INSTANCES,
				       .action = WIRE_ACTION_MIGRATED,
				       .count = 1200},
		  "shop.cart", "Order", "");
	add(WIRE_RECORD_NAME, WIRE_ACTION_CHANGED, "shop.cart", "RATE", "float");
	add(WIRE_RECORD_NAME, WIRE_ACTION_ADDED, "shop.cart", "gr\xc3\xbc\xc3\x9f",
	    "'\x1b[2Jx'");
	add(WIRE_RECORD_NAME, WIRE_ACTION_KEPT, "shop.cart", "CACHE", "");
	add(WIRE_RECORD_FUNCTION, WIRE_ACTION_CHANGED, "a.views", "index", "");
	add(WIRE_RECORD_FUNCTION, WIRE_ACTION_SKIPPED, "a.views", "helper",
	    "is a C function now");
	add(WIRE_RECORD_MODULE, WIRE_ACTION_SKIPPED, "speedups", "", "the source file is gone");
	add(WIRE_RECORD_WARNING, WIRE_ACTION_NONE, "a.views", "",
	    "its source file was deleted");
	add(WIRE_RECORD_WARNING, WIRE_ACTION_KEPT, "shop.cart", "make.<locals>.inner",
	    "keeps its old code");
	add(WIRE_RECORD_WARNING, WIRE_ACTION_NONE, "", "", "something general");
	reply_add(&builder,
		  (struct wire_record){.kind = WIRE_RECORD_FRAME, .line = 41, .count = 2},
		  "shop.worker", "worker_loop", "/srv/shop/worker.py");
	reply_add(&builder,
		  (struct wire_record){.kind = WIRE_RECORD_FRAME, .line = 7, .count = 1},
		  "shop.worker", "generate", "/srv/shop/worker.py");
	builder.header.truncated = 3;
	return end_reply();
}

/* What a plan tells; an attach tells the same, in the same rows. */
static inline struct outcome planned(void)
{
	const struct wire_record statement = {
		.kind = WIRE_RECORD_STATEMENT, .action = WIRE_ACTION_CHANGED, .line = 12};

	reply_begin(&builder, WIRE_STATUS_APPLIED);
	add(WIRE_RECORD_MODULE, WIRE_ACTION_MIGRATED, "shop.cart", "",
	    "/srv/shop/cart/__init__.py");
	reply_add(&builder, statement, "shop.cart", "", "RATES = {'de': 0.19, 'fr': 0.2}");
	reply_add(&builder,
		  (struct wire_record){.kind = WIRE_RECORD_STATEMENT,
				       .action = WIRE_ACTION_CHANGED,
				       .line = 140},
		  "shop.cart", "",
		  "register(Cart, handlers=[checkout, discount, make_handler('a long name')");
	add(WIRE_RECORD_FUNCTION, WIRE_ACTION_CHANGED, "shop.cart", "Cart.total", "");
	add(WIRE_RECORD_FUNCTION, WIRE_ACTION_ADDED, "shop.cart", "discount", "");
	add(WIRE_RECORD_CLASS, WIRE_ACTION_REMOVED, "shop.cart", "OldCart", "");
	reply_add(&builder,
		  (struct wire_record){
			  .kind = WIRE_RECORD_NAME, .action = WIRE_ACTION_LOST, .value = 2},
		  "shop.cart", "RATES", "dict");
	reply_add(&builder,
		  (struct wire_record){
			  .kind = WIRE_RECORD_NAME, .action = WIRE_ACTION_KEPT, .value = 1200},
		  "shop.cart", "SESSIONS", "dict");
	add(WIRE_RECORD_NAME, WIRE_ACTION_KEPT, "shop.cart", "LOCK", "lock");
	add(WIRE_RECORD_WARNING, WIRE_ACTION_NONE, "shop.cart", "",
	    "the old source is not known: what changed was inferred from what is running");
	reply_add(&builder,
		  (struct wire_record){.kind = WIRE_RECORD_FRAME,
				       .action = WIRE_ACTION_WAITING,
				       .line = 41,
				       .count = 1},
		  "shop.worker", "generate", "/srv/shop/worker.py");
	struct outcome outcome = end_reply();
	outcome.operation = WIRE_COMMAND_PLAN;
	return outcome;
}

static inline struct outcome nothing(void)
{
	reply_begin(&builder, WIRE_STATUS_NOTHING_TO_DO);
	add(WIRE_RECORD_MODULE, WIRE_ACTION_SKIPPED, "speedups", "", "the source file is gone");
	struct outcome outcome = end_reply();
	outcome.report.header.modules_looked = 1;
	outcome_check_filters(&outcome, 3, 0);
	return outcome;
}

static inline struct outcome source_error(void)
{
	reply_begin(&builder, WIRE_STATUS_SOURCE_ERROR);
	add(WIRE_RECORD_ERROR, WIRE_ACTION_NONE, "shop.cart", "",
	    "  File \"/srv/shop/cart.py\", line 12\n    def total(self\n             ^\n"
	    "SyntaxError: '(' was never closed\n");
	add(WIRE_RECORD_WARNING, WIRE_ACTION_NONE, "a.views", "",
	    "its source file was deleted");
	return end_reply();
}

static inline struct outcome refused(void)
{
	reply_begin(&builder, WIRE_STATUS_REFUSED);
	add(WIRE_RECORD_MODULE, WIRE_ACTION_CHANGED, "shop", "", "/srv/shop.py");
	add(WIRE_RECORD_FUNCTION, WIRE_ACTION_CHANGED, "shop", "f", "");
	add(WIRE_RECORD_CLASS, WIRE_ACTION_REFUSED, "shop", "Order",
	    "3 instances cannot move: __slots__ differ");
	return end_reply();
}

/* No report at all: somebody else's process, with all that an error can carry. */
static inline struct outcome failed(void)
{
	struct outcome outcome = {.pid = 4711, .operation = WIRE_COMMAND_ATTACH};

	hp_err_set(&outcome.err, HP_TRACED, 0, "it is traced by process 4800 (gdb\x1b[2J)");
	hp_err_wrap(&outcome.err, "attach to process 4711");
	hp_err_hint(&outcome.err, "end gdb (pid 4800) first");
	hp_err_undo(&outcome.err, "a mapping at 0x7f00 stays");
	return outcome;
}

static inline struct outcome many(void)
{
	char name[32];

	reply_begin(&builder, WIRE_STATUS_APPLIED);
	add(WIRE_RECORD_MODULE, WIRE_ACTION_CHANGED, "big", "", "/srv/big.py");
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "function_%d", i);
		add(WIRE_RECORD_FUNCTION, WIRE_ACTION_CHANGED, "big", name, "");
		add(WIRE_RECORD_WARNING, WIRE_ACTION_NONE, "big", "", name);
	}
	return end_reply();
}

static inline void add_attach(uint32_t number, uint64_t time_s)
{
	reply_add(&builder,
		  (struct wire_record){.kind = WIRE_RECORD_ATTACH,
				       .action = WIRE_ACTION_CHANGED,
				       .count = number,
				       .value = time_s * 1000000000 + 5},
		  "", "", "");
}

static inline void add_two_attaches(enum wire_action second)
{
	const char *digest = "aec070645fe53ee3b3763059376134f058cc337247c978add178b6ccdfb0019f";

	add_attach(2, 1764093792);
	add(WIRE_RECORD_MODULE, WIRE_ACTION_CHANGED, "shop.cart", digest, "/srv/shop/cart.py");
	add(WIRE_RECORD_FUNCTION, WIRE_ACTION_CHANGED, "shop.cart", "Cart.total", "");
	add(WIRE_RECORD_FUNCTION, second, "shop.cart", "Cart.discount", "");
	add_attach(1, 1764090000);
	add(WIRE_RECORD_MODULE, WIRE_ACTION_CHANGED, "shop.cart", "", "/srv/shop/cart.py");
	add(WIRE_RECORD_CLASS, WIRE_ACTION_CHANGED, "shop.cart", "Cart", "");
	add(WIRE_RECORD_MODULE, WIRE_ACTION_CHANGED, "a.views", "", "/srv/a/views.py");
	add(WIRE_RECORD_NAME, WIRE_ACTION_CHANGED, "a.views", "RATE", "float");
}

static inline struct outcome end_of(enum wire_command operation)
{
	struct outcome outcome = end_reply();

	outcome.operation = operation;
	return outcome;
}

static inline struct outcome recorded(void)
{
	reply_begin(&builder, WIRE_STATUS_APPLIED);
	add_two_attaches(WIRE_ACTION_ADDED);
	reply_add(&builder, (struct wire_record){.kind = WIRE_RECORD_FRAME, .line = 41}, "",
		  "worker_loop", "/srv/shop/worker.py");
	return end_of(WIRE_COMMAND_STATUS);
}

static inline struct outcome rolled_back(void)
{
	reply_begin(&builder, WIRE_STATUS_APPLIED);
	add_two_attaches(WIRE_ACTION_REMOVED);
	return end_of(WIRE_COMMAND_ROLLBACK);
}

static inline struct outcome not_rolled_back(void)
{
	reply_begin(&builder, WIRE_STATUS_REFUSED);
	add(WIRE_RECORD_ERROR, WIRE_ACTION_REFUSED, "", "", "shop.RATE was changed");
	add(WIRE_RECORD_ERROR, WIRE_ACTION_REFUSED, "", "", "Cart.total was changed");
	return end_of(WIRE_COMMAND_ROLLBACK);
}

static inline struct outcome empty(enum wire_command operation)
{
	reply_begin(&builder, operation == WIRE_COMMAND_FORGET ? WIRE_STATUS_APPLIED
							       : WIRE_STATUS_NOTHING_TO_DO);
	return end_of(operation);
}

static inline char *read_golden(const char *name)
{
	char path[512], *text = calloc(1, 1 << 20);
	FILE *from;

	snprintf(path, sizeof(path), "%s/tests/unit/golden/%s", HP_SOURCE_ROOT, name);
	from = fopen(path, "re");
	if (from) {
		size_t len = fread(text, 1, (1 << 20) - 1, from);
		text[len] = '\0';
		fclose(from);
	}
	return text;
}

static inline void expect_golden(const char *name, const char *got)
{
	const char *update = getenv("HP_UPDATE_GOLDEN");
	char path[512], *golden;

	if (update && update[0]) {
		snprintf(path, sizeof(path), "%s/tests/unit/golden/%s", HP_SOURCE_ROOT, name);
		FILE *to = fopen(path, "we");
		cr_assert(ne(ptr, to, NULL), "%s", path);
		fputs(got, to);
		fclose(to);
	}
	golden = read_golden(name);
	cr_assert(eq(str, got, golden), "differs from tests/unit/golden/%s", name);
	free(golden);
}

static inline struct process_info good_info(void)
{
	return (struct process_info){.pid = 4711,
				     .python = "3.12.1",
				     .user = "www-data",
				     .command = "gunicorn: worker [shop]",
				     .uptime_s = 93784};
}

static inline struct process_info bad_info(void)
{
	struct process_info info = {.pid = 42, .uptime_s = -1, .obstacle_count = 2};

	strcpy(info.command,
	       "a command line that is rather long and has \x1b[31m and \n in it, and "
	       "goes on and on");
	hp_err_set(&info.obstacles[0], HP_TRACED, 0,
		   "process 42 is traced by process 43 (gdb\x1b[0m)");
	hp_err_hint(&info.obstacles[0], "end gdb (pid 43) first");
	hp_err_set(&info.obstacles[1], HP_PERMISSION, 0, "process 42 belongs to root");
	return info;
}

static inline struct machine_info bad_machine(void)
{
	struct machine_info info = {.yama = 1,
				    .may_trace = 0,
				    .libunwind = "1.6.2",
				    .user = "joe",
				    .obstacle_count = 1};

	hp_err_set(&info.obstacles[0], HP_SYSTEM, 0, "the payload is not installed at X");
	hp_err_hint(&info.obstacles[0], "install it");
	return info;
}

static inline struct machine_info good_machine(void)
{
	return (struct machine_info){.payload = "/usr/lib/pyhotpatch/payload.so",
				     .yama = -1,
				     .may_trace = 1,
				     .libunwind = "1.6.2",
				     .user = "root"};
}

#endif
