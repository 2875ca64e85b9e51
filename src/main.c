/* SPDX-License-Identifier: MIT
 *
 * pyhotpatch: the table of contents. Reads the command line, runs one command, and is the only
 * place that ends the program.
 */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "src/commands.h"
#include "src/diag.h"
#include "src/options.h"
#include "src/selection.h"
#include "src/term.h"

#ifndef MADV_POPULATE_WRITE /* before glibc 2.35 */
#define MADV_POPULATE_WRITE 23
#endif

#define PAGE      4096u
#define USED_SIZE (280u << 10)

static int run(const struct options *options)
{
	switch (options->command) {
	case COMMAND_ATTACH:
		return cmd_attach(options);
	case COMMAND_PLAN:
		return cmd_plan(options);
	case COMMAND_ROLLBACK:
		return cmd_rollback(options);
	case COMMAND_STATUS:
		return cmd_status(options);
	case COMMAND_FORGET:
		return cmd_forget(options);
	case COMMAND_WATCH:
		return cmd_watch(options);
	case COMMAND_LIST:
		return cmd_list(options);
	case COMMAND_DOCTOR:
		return cmd_doctor(options);
	}
	return hp_err_exit_status(HP_INTERNAL);
}

static int fail(const struct hp_err *err)
{
	struct term term = term_of(stderr, COLOR_AUTO);

	diag_error(stderr, &term, err, NULL);
	return hp_err_exit_status(err->kind);
}

/* The program lives for milliseconds and needs a dozen large buffers, one after the other: each
 * as a mapping of its own would be made of fresh pages, and be unmapped again. */
static void reuse_memory(void)
{
	mallopt(M_MMAP_THRESHOLD, 32 << 20);
	mallopt(M_TRIM_THRESHOLD, 64 << 20);
	mallopt(M_TOP_PAD, 1 << 20);
}

/* What an attach uses of it is had at once: page by page it would be a hundred faults. Before
 * Linux 5.14 it is. */
static void fetch_memory(void)
{
	void *room = malloc(USED_SIZE);
	const uintptr_t start = ((uintptr_t)room + PAGE - 1) & ~(uintptr_t)(PAGE - 1);

	if (room)
		madvise((void *)start, USED_SIZE - PAGE, MADV_POPULATE_WRITE); /* NOLINT */
	free(room);
}

/* A sleep of 20 us would take 70 (PR_SET_TIMERSLACK in prctl(2)). */
static void wake_in_time(void)
{
	prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
}

int main(int argc, char **argv)
{
	struct options options;
	struct hp_err err;
	int status = 0, parsed;

	reuse_memory();
	fetch_memory();
	wake_in_time();
	parsed = options_parse(&options, argc, argv, stdout, &err);
	if (parsed < 0)
		return fail(&err);
	if (parsed == 0) {
		parsed = selection_resolve(&options, &err);
		status = parsed < 0 ? fail(&err) : run(&options);
		options_fini(&options);
	}
	/* a full disk or a closed pipe must not look like success */
	if ((fflush(stdout) || ferror(stdout)) && !status) {
		hp_err_set(&err, HP_SYSTEM, errno, "write the result");
		hp_err_hint(&err,
			    "what was to be done was done; only the report is incomplete");
		return fail(&err);
	}
	return status;
}
