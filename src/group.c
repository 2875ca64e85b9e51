/* SPDX-License-Identifier: MIT
 *
 * See group.h. One thread tends all sessions, one step of one process after the other: the
 * processes work side by side, and no more than one thread of theirs is held at a time.
 *
 * The invariant: nobody is told to commit before all are prepared, and nobody is told to keep
 * it before all have applied it. Whoever fails before that is one too few for all.
 */
#include "src/group.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "inject/base/cleanup.h"
#include "src/newcomers.h"
#include "src/signals.h"

#define LOOK_NS      20000000ll /* to go once through all that are at work */
#define LOOK_MIN     200000ll
#define SIDE_BY_SIDE 4 /* at least so many are at work at once */
#define ROUNDS_MAX   5 /* a service that forks all the time is not waited for */

struct member {
	struct outcome outcome;
	struct target target;
	bool has_target, is_begun;
	struct session *session; /* NULL: not begun, or over */
	enum session_stage stage;
	enum session_stage reached; /* the furthest so far */
};

struct group {
	const struct ask *ask;
	struct session_options options;
	struct progress progress;
	struct member **members; /* owned; a session keeps pointers into its member */
	size_t count;
	pid_t failed; /* the first that could not be changed; 0 */
};

void outcomes_fini(struct outcomes *outcomes)
{
	for (size_t i = 0; i < outcomes->count; i++)
		outcome_fini(&outcomes->items[i]);
	free(outcomes->items);
	*outcomes = (struct outcomes){0};
}

/* ---- members ---- */

static struct member *add_member(struct group *group, pid_t pid)
{
	const size_t size = (group->count + 1) * sizeof(*group->members);
	struct member **bigger = realloc(group->members, size);
	struct member *member = bigger ? calloc(1, sizeof(*member)) : NULL;

	if (bigger)
		group->members = bigger;
	if (!member)
		return NULL;
	member->outcome = (struct outcome){.pid = pid, .operation = group->ask->command};
	group->members[group->count++] = member;
	return member;
}

static void member_free(struct member *member)
{
	if (member->has_target)
		target_fini(&member->target);
	free(member);
}

static void drop_last(struct group *group)
{
	struct member *last = group->members[--group->count];

	outcome_fini(&last->outcome);
	member_free(last);
}

static bool has_member(const struct group *group, pid_t pid)
{
	for (size_t i = 0; i < group->count; i++)
		if (group->members[i]->outcome.pid == pid)
			return true;
	return false;
}

/* outcome.err says why. */
static bool fail(struct group *group, const struct member *member)
{
	if (!group->failed)
		group->failed = member->outcome.pid;
	return false;
}

/* ---- one step of one process ---- */

static bool describe(struct group *group, struct member *member)
{
	if (*signals_flag())
		hp_err_set(&member->outcome.err, HP_INTERRUPTED, 0,
			   "interrupted before it began");
	else
		member->has_target =
			ask_describe(&member->target, group->ask, &member->outcome) == 0;
	return member->has_target || fail(group, member);
}

static bool open_session(struct group *group, struct member *member)
{
	group->progress.pid = member->outcome.pid;
	member->is_begun = true;
	member->stage = SESSION_BUSY;
	return session_open(&member->session, &member->target, ask_request(group->ask),
			    &group->options, &member->outcome.err) == 0 ||
	       fail(group, member);
}

static bool close_session(struct group *group, struct member *member)
{
	struct session *session = take_ptr(&member->session);
	struct session_result result = {0};

	return (session_close(&result, session, &member->outcome.err) == 0 &&
		ask_judge(&member->outcome, group->ask, &result) == 0) ||
	       fail(group, member);
}

/* What the target says of itself is not believed: a payload waits once before the changes, and
 * once after them. */
static bool note_stage(struct group *group, struct member *member, enum session_stage stage)
{
	member->stage = stage;
	if (stage == SESSION_BUSY)
		return true;
	if (stage > member->reached) {
		member->reached = stage;
		return true;
	}
	session_cancel(member->session);
	session_close(NULL, take_ptr(&member->session), NULL);
	hp_err_set(&member->outcome.err, HP_BAD_REPORT, 0,
		   "the payload waits for what it was told already");
	return fail(group, member);
}

/* What it has come to by `until`. */
static bool look_at(struct group *group, struct member *member, struct deadline until)
{
	int stage;

	group->progress.pid = member->outcome.pid;
	stage = session_await(member->session, until, &member->outcome.err);
	if (stage < 0) {
		session_close(NULL, take_ptr(&member->session), NULL);
		return fail(group, member);
	}
	if (stage == SESSION_ANSWERED)
		return close_session(group, member);
	return note_stage(group, member, (enum session_stage)stage);
}

/* ---- all of them ---- */

static bool is_busy(const struct member *member)
{
	return member->session && member->stage == SESSION_BUSY;
}

static size_t count_busy(const struct group *group)
{
	size_t busy = 0;

	for (size_t i = 0; i < group->count; i++)
		busy += is_busy(group->members[i]);
	return busy;
}

/* Go once through those that are at work. */
static bool look_at_all(struct group *group, int64_t slice_ns)
{
	for (size_t i = 0; i < group->count; i++)
		if (is_busy(group->members[i]) &&
		    !look_at(group, group->members[i], deadline_after_ns(slice_ns)))
			return false;
	return true;
}

/* Until each waits for us, or has answered. */
static bool settle(struct group *group)
{
	size_t busy;

	while ((busy = count_busy(group)) > 0) {
		const int64_t slice_ns = LOOK_NS / (int64_t)busy;

		if (!look_at_all(group, slice_ns > LOOK_MIN ? slice_ns : LOOK_MIN))
			return false;
	}
	return true;
}

static struct member *next_to_begin(const struct group *group)
{
	struct member *next = NULL;

	for (size_t i = 0; i < group->count; i++) {
		struct member *member = group->members[i];

		if (!member->is_begun && (!next || member->outcome.pid < next->outcome.pid))
			next = member;
	}
	return next;
}

static bool await_turn(struct group *group, struct member *member)
{
	while (is_busy(member) && !session_has_turn(member->session))
		if (!look_at(group, member, deadline_after_ns(LOOK_MIN)))
			return false;
	return true;
}

/* They are not to take all processors at once from a service that goes on serving. */
static bool await_room(struct group *group)
{
	const long processors = sysconf(_SC_NPROCESSORS_ONLN);
	const size_t most =
		processors > SIDE_BY_SIDE / 2 ? (size_t)processors * 2 : SIDE_BY_SIDE;

	while (count_busy(group) >= most)
		if (!look_at_all(group, LOOK_NS / (int64_t)most))
			return false;
	return true;
}

/* By number, each when the one before has its turn: two operations on the same processes would
 * else wait for each other. Those that have begun are looked at in between: the new source
 * fails everywhere or nowhere, mostly. */
static bool open_all(struct group *group)
{
	struct member *member;

	while ((member = next_to_begin(group)))
		if (!await_room(group) || !open_session(group, member) ||
		    !await_turn(group, member) || !look_at_all(group, 0))
			return false;
	return true;
}

static void tell_all(struct group *group, enum session_stage stage,
		     void (*tell)(struct session *session))
{
	for (size_t i = 0; i < group->count; i++) {
		struct member *member = group->members[i];

		if (!member->session || member->stage != stage)
			continue;
		tell(member->session);
		member->stage = SESSION_BUSY;
	}
}

static bool change_all(struct group *group)
{
	if (!open_all(group) || !settle(group))
		return false;
	tell_all(group, SESSION_PREPARED, session_go);
	return settle(group);
}

/* ---- those that started meanwhile ---- */

/* One that has ended again, or is about to become another program, is none of ours. */
static bool is_passing(const struct outcome *outcome)
{
	const enum hp_err_kind kind = outcome->err.kind;

	return kind == HP_NO_PROCESS || kind == HP_ZOMBIE || kind == HP_NOT_PYTHON ||
	       kind == HP_FINALIZING;
}

static bool admit(struct group *group, pid_t pid)
{
	struct member *member = has_member(group, pid) ? NULL : add_member(group, pid);

	if (!member)
		return true;
	member->has_target = ask_describe(&member->target, group->ask, &member->outcome) == 0;
	if (member->has_target)
		return true;
	if (!is_passing(&member->outcome))
		return fail(group, member);
	drop_last(group);
	return true;
}

/* A worker that was forked before its parent was changed runs the old code. */
static bool change_newcomers(struct group *group)
{
	for (int round = 0; round < ROUNDS_MAX; round++) {
		const size_t known = group->count;
		struct selection selection;

		newcomers_find(&selection, group->ask->options);
		for (size_t i = 0; i < selection.count && !group->failed; i++)
			admit(group, selection.pids[i]);
		selection_fini(&selection);
		if (group->failed)
			return false;
		if (group->count == known)
			return true;
		if (!change_all(group))
			return false;
	}
	return true;
}

/* ---- the end ---- */

static void hold_back(struct group *group, struct member *member)
{
	if (member->session) {
		session_await_end(member->session);
		session_close(NULL, take_ptr(&member->session), NULL);
	}
	hp_err_set(&member->outcome.err, HP_HELD_BACK, 0,
		   "nothing was changed, because process %d could not be", (int)group->failed);
}

/* Who has begun to commit is heard to the end, and changed back if it can be. */
static void take_back(struct group *group)
{
	tell_all(group, SESSION_APPLIED, session_revoke);
	for (size_t i = 0; i < group->count; i++) {
		struct member *member = group->members[i];

		if (member->session && session_cancel(member->session))
			member->stage = SESSION_ANSWERED;
	}
	for (size_t i = 0; i < group->count; i++) {
		struct member *member = group->members[i];
		const bool is_untouched = member->session ? member->stage == SESSION_ANSWERED
							  : member->outcome.err.kind == HP_OK &&
								    !member->outcome.has_report;

		if (is_untouched)
			hold_back(group, member);
	}
	while (count_busy(group)) {
		settle(group);
		tell_all(group, SESSION_APPLIED, session_revoke);
	}
}

static void keep(struct group *group)
{
	tell_all(group, SESSION_APPLIED, session_keep);
	while (!settle(group))
		; /* each that fails is over */
}

static void serve(struct group *group)
{
	bool ok = true;

	for (size_t i = 0; i < group->count && ok; i++)
		ok = describe(group, group->members[i]);
	if (ok && change_all(group) && change_newcomers(group))
		keep(group);
	else
		take_back(group);
}

/* Three descriptors a process, and some while it is described. */
static void allow_descriptors(size_t count)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= count * 4 + 256)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* The outcomes, or none at all. */
static int hand_out(struct outcomes *out, struct group *group)
{
	struct outcome *items = calloc(group->count + 1, sizeof(*items));

	for (size_t i = 0; i < group->count; i++) {
		if (items)
			items[i] = group->members[i]->outcome;
		else
			outcome_fini(&group->members[i]->outcome);
		member_free(group->members[i]);
	}
	free(group->members);
	*out = (struct outcomes){items, items ? group->count : 0};
	return items ? 0 : -1;
}

/* A master need not have what --module names, when its workers do. */
static void check_filters(struct outcomes *all, const struct options *options)
{
	const size_t wanted = options->module_count + (options->path_count > 0);

	for (size_t i = 0; i < all->count; i++)
		if (all->items[i].report.header.modules_looked >= wanted)
			return;
	for (size_t i = 0; i < all->count; i++)
		if (all->items[i].has_report)
			outcome_check_filters(&all->items[i], options->module_count,
					      options->path_count);
}

int group_serve(struct outcomes *out, const struct ask *ask, const struct selection *chosen,
		struct hp_err *err)
{
	struct group group = {.ask = ask};
	struct newcomers newcomers;
	bool ok = true;

	group.options = ask_session_options(ask, &group.progress);
	allow_descriptors(chosen->count);
	for (size_t i = 0; i < chosen->count && ok; i++)
		ok = add_member(&group, chosen->pids[i]) != NULL;
	newcomers_begin(&newcomers);
	if (ok)
		serve(&group);
	progress_end(&group.progress);
	if (hand_out(out, &group) < 0 || !ok) {
		outcomes_fini(out);
		newcomers_fini(&newcomers);
		return hp_err_set(err, HP_SYSTEM, ENOMEM, "serve %zu processes", chosen->count);
	}
	check_filters(out, ask->options);
	newcomers_note(&newcomers, out->items, out->count);
	newcomers_fini(&newcomers);
	for (size_t i = 0; i < out->count; i++)
		ask_conclude(&out->items[i], ask);
	return 0;
}
