/* SPDX-License-Identifier: MIT
 *
 * pyhotpatch watch PID...: attach each time a source file of the targets changes.
 *
 * The invariant: a change that comes while an attach is under way is not lost: what had
 * happened is taken from the watcher before each attach, and what happens later wakes us again.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "inject/base/cleanup.h"
#include "src/changes.h"
#include "src/commands.h"
#include "src/diag.h"
#include "src/operation.h"
#include "src/process_name.h"
#include "src/render.h"
#include "src/signals.h"
#include "src/term.h"
#include "src/watcher.h"

/* After the last of several writes: an editor's, or a checkout's, come at once. */
#define QUIET_MS 100
/* So often at most, for a folder that something writes to all the time. */
#define QUIET_MAX 20
/* A process that ends just when all are to be changed is left out the next time. */
#define ATTEMPTS_MAX 5

struct watch {
	const struct options *options;
	struct request request;
	struct watcher watcher;
	struct pollfd *polled; /* owned: the watcher, then the pidfd of each process */
	pid_t *pids;           /* owned; of polled[i + 1] */
	size_t alive;
	struct term out, err;
};

static void watch_fini(struct watch *watch)
{
	for (size_t i = 0; watch->polled && i < watch->alive; i++)
		close(watch->polled[i + 1].fd);
	watcher_fini(&watch->watcher);
	free(watch->polled);
	free(watch->pids);
}

static int add_process(struct watch *watch, pid_t pid, struct hp_err *err)
{
	const size_t count = watch->alive + 1;
	struct pollfd *polled = realloc(watch->polled, (count + 1) * sizeof(*polled));
	pid_t *pids = realloc(watch->pids, count * sizeof(*pids));
	int fd;

	watch->polled = polled ? polled : watch->polled;
	watch->pids = pids ? pids : watch->pids;
	if (!polled || !pids)
		return hp_err_set(err, HP_SYSTEM, ENOMEM, "watch process %d", (int)pid);
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		return hp_err_set(err, HP_NO_PROCESS, errno, "watch process %d", (int)pid);
	watch->pids[watch->alive++] = pid;
	watch->polled[watch->alive] = (struct pollfd){.fd = fd, .events = POLLIN};
	return 0;
}

static int watch_init(struct watch *out, const struct options *options, struct hp_err *err)
{
	*out = (struct watch){
		.options = options,
		.request = operation_attach_request(options),
		.watcher = {.fd = -1},
		.polled = calloc(1, sizeof(struct pollfd)),
		.out = term_of(stdout, options->color),
		.err = term_of(stderr, options->color),
	};
	if (!out->polled)
		return hp_err_set(err, HP_SYSTEM, ENOMEM, "watch %zu processes",
				  options->pid_count);
	if (watcher_init(&out->watcher, err) < 0)
		return -1;
	out->polled[0] = (struct pollfd){.fd = out->watcher.fd, .events = POLLIN};
	for (size_t i = 0; i < options->pid_count; i++)
		if (add_process(out, options->pids[i], err) < 0)
			return -1;
	return 0;
}

/* ---- one line an event ---- */

static void put_time(FILE *to)
{
	time_t now = time(NULL);
	struct tm local;
	char text[16];

	if (localtime_r(&now, &local) && strftime(text, sizeof(text), "%H:%M:%S", &local))
		fprintf(to, "%s ", text);
}

static void put_modules(const struct report *report)
{
	struct changes changes;
	const char *before = ": ";

	if (changes_group(&changes, report) < 0)
		return;
	for (size_t i = 0; i < changes.count; i++) {
		const struct module_changes *module = &changes.modules[i];

		if (module->module && module->module->action == WIRE_ACTION_SKIPPED)
			continue;
		printf("%s%s", before, module->name);
		before = ", ";
	}
	changes_fini(&changes);
}

static void put_applied(const struct watch *watch, const struct outcome *outcome)
{
	char name[PROCESS_NAME_MAX];

	put_time(stdout);
	printf("%s%s%s applied in %.3g ms", term_style(&watch->out, STYLE_STRONG),
	       process_name(name, outcome->pid, outcome->inner_pid),
	       term_style(&watch->out, STYLE_PLAIN), (double)outcome->elapsed_ns / 1e6);
	put_modules(&outcome->report);
	putchar('\n');
}

static void put_error(const struct watch *watch, const struct outcome *outcome)
{
	_cleanup_free_ char *details = outcome_details(outcome);

	put_time(stderr);
	diag_error(stderr, &watch->err, &outcome->err, details);
}

static void show(const struct watch *watch, const struct outcome *outcome)
{
	const struct options *options = watch->options;
	const bool applied = !strcmp(outcome_status(outcome), "applied");

	if (options->json)
		render_json_outcome(stdout, outcome);
	else if (outcome->err.kind == HP_HELD_BACK && !options->verbose)
		; /* another one tells why */
	else if (outcome->err.kind != HP_OK)
		put_error(watch, outcome);
	else if (options->verbose)
		render_text_outcome(stdout, &watch->out, outcome, true);
	else if (applied && !options->quiet)
		put_applied(watch, outcome);
	fflush(stdout);
}

/* ---- one process ---- */

/* The folders of what it has imported by now. */
static int watch_sources(struct watch *watch, pid_t pid, struct hp_err *err)
{
	struct request request = watch->request;
	struct outcome outcome = {.pid = pid, .operation = WIRE_COMMAND_SOURCES};
	char root[32];
	int r = 0;

	request.command = WIRE_COMMAND_SOURCES;
	request.flags = 0;
	operation_ask(&outcome, watch->options, &request);
	*err = outcome.err;
	if (err->kind != HP_OK)
		r = -1;
	snprintf(root, sizeof(root), "/proc/%d/root", (int)pid);
	for (size_t i = 0; r == 0 && i < outcome.report.count; i++)
		if (outcome.report.records[i].kind == WIRE_RECORD_SOURCE)
			r = watcher_add(&watch->watcher, root, outcome.report.records[i].text,
					err);
	outcome_fini(&outcome);
	return r;
}

/* Files that are elsewhere now, or new ones; an error is shown, and is not the end. */
static void watch_again(struct watch *watch, pid_t pid)
{
	struct hp_err err;

	if (watch_sources(watch, pid, &err) < 0)
		diag_error(stderr, &watch->err, &err, NULL);
}

/* ---- all of them ---- */

static void drop_ended(struct watch *watch)
{
	for (size_t i = 0; i < watch->alive;) {
		if (!watch->polled[i + 1].revents) {
			i++;
			continue;
		}
		if (!watch->options->json && !watch->options->quiet) {
			put_time(stdout);
			printf("process %d has ended\n", (int)watch->pids[i]);
			fflush(stdout);
		}
		close(watch->polled[i + 1].fd);
		watch->alive--;
		watch->pids[i] = watch->pids[watch->alive];
		watch->polled[i + 1] = watch->polled[watch->alive + 1];
	}
}

static bool is_watched(const struct watch *watch, pid_t pid)
{
	for (size_t i = 0; i < watch->alive; i++)
		if (watch->pids[i] == pid)
			return true;
	return false;
}

/* False when one of them has ended, and so held the others back. */
static bool take(struct watch *watch, const struct outcome *outcome)
{
	const enum hp_err_kind kind = outcome->err.kind;
	struct hp_err err;

	if (kind == HP_NO_PROCESS || kind == HP_ZOMBIE || kind == HP_TARGET_DIED)
		return false;
	show(watch, outcome);
	if (!is_watched(watch, outcome->pid)) {
		if (add_process(watch, outcome->pid, &err) == 0)
			watch_again(watch, outcome->pid);
	} else if (!strcmp(outcome_status(outcome), "applied")) {
		watch_again(watch, outcome->pid); /* it may have imported from other folders */
	}
	return true;
}

static bool apply_to_all(struct watch *watch)
{
	const struct selection chosen = {watch->pids, watch->alive};
	struct outcomes all;
	struct hp_err err;
	bool complete = true;

	if (operation_ask_all(&all, watch->options, &watch->request, &chosen, &err) < 0) {
		diag_error(stderr, &watch->err, &err, NULL);
		return true;
	}
	for (size_t i = 0; i < all.count; i++)
		complete &= take(watch, &all.items[i]);
	outcomes_fini(&all);
	return complete;
}

/* What has changed by now; an error is shown, and is not the end. */
static void apply(struct watch *watch)
{
	for (int i = 0; i < ATTEMPTS_MAX && watch->alive && !*signals_flag(); i++) {
		if (apply_to_all(watch))
			return;
		if (poll(watch->polled, watch->alive + 1, 0) > 0)
			drop_ended(watch);
	}
}

/* Until nothing has happened for a moment: several files are saved at once. */
static enum watcher_event settle(struct watch *watch)
{
	enum watcher_event greatest = watcher_take(&watch->watcher);

	for (int i = 0; greatest && i < QUIET_MAX && !*signals_flag(); i++) {
		enum watcher_event event;

		if (poll(watch->polled, 1, QUIET_MS) <= 0)
			break;
		event = watcher_take(&watch->watcher);
		if (event > greatest)
			greatest = event;
	}
	return greatest;
}

static void watch_on(struct watch *watch)
{
	apply(watch);
	while (watch->alive && !*signals_flag()) {
		enum watcher_event event;

		if (poll(watch->polled, watch->alive + 1, -1) < 0)
			continue;
		drop_ended(watch);
		event = settle(watch);
		for (size_t i = 0; i < watch->alive && event == WATCHER_LINKS; i++)
			watch_again(watch, watch->pids[i]);
		if (event)
			apply(watch);
	}
}

int cmd_watch(const struct options *options)
{
	struct watch watch;
	struct hp_err err;
	int r;

	signals_catch();
	r = watch_init(&watch, options, &err);
	for (size_t i = 0; r == 0 && i < watch.alive; i++)
		r = watch_sources(&watch, watch.pids[i], &err);
	if (r == 0)
		watch_on(&watch);
	else
		diag_error(stderr, &watch.err, &err, NULL);
	watch_fini(&watch);
	return r == 0 ? 0 : hp_err_exit_status(err.kind);
}
