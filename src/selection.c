/* SPDX-License-Identifier: MIT
 *
 * See selection.h. What is found must have a Python in it: the shell that started a service
 * belongs to its tree, too, and is none of ours.
 */
#include "src/selection.h"

#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inject/base/cleanup.h"
#include "inject/proc/cgroup.h"
#include "inject/proc/family.h"
#include "inject/proc/procfs.h"
#include "inject/target/target.h"

/* One selector at work. */
struct search {
	const struct selector *selector;
	struct family family;
	regex_t pattern;
	char group[512];      /* SELECT_UNIT: the unit's own, as first seen */
	char other[512];      /* another one of that name */
	size_t seen, pythons; /* processes that it is about, and those of them that count */
};

/* ---- what each way of choosing asks ---- */

static bool is_in_tree(struct search *search, pid_t pid)
{
	return family_descends(&search->family, pid, search->selector->pid);
}

static bool is_in_unit(struct search *search, pid_t pid)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_fd_ int procfd = -1;
	struct hp_err ignored;
	char group[sizeof(search->group)];
	const char *path;
	size_t len, path_len;

	if (procfs_open(&procfd, pid, &ignored) < 0 ||
	    procfs_read(&text, &len, procfd, "cgroup", &ignored) < 0 ||
	    !cgroup_find_unit(&path, &path_len, text, len, search->selector->unit))
		return false;
	snprintf(group, sizeof(group), "%.*s", (int)path_len, path);
	if (!search->group[0])
		memcpy(search->group, group, sizeof(group));
	else if (strcmp(search->group, group) != 0)
		memcpy(search->other, group, sizeof(group));
	return true;
}

/* The command line as people see it, its words separated by blanks. */
static bool is_matched(struct search *search, pid_t pid)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_fd_ int procfd = -1;
	struct hp_err ignored;
	size_t len;

	if (procfs_open(&procfd, pid, &ignored) < 0 ||
	    procfs_read(&text, &len, procfd, "cmdline", &ignored) < 0 || !len)
		return false;
	for (size_t i = 0; i + 1 < len; i++)
		if (!text[i])
			text[i] = ' ';
	return regexec(&search->pattern, text, 0, NULL, 0) == 0 &&
	       !family_descends(&search->family, getpid(), pid);
}

static bool is_meant(struct search *search, pid_t pid)
{
	switch (search->selector->kind) {
	case SELECT_TREE:
		return is_in_tree(search, pid);
	case SELECT_UNIT:
		return is_in_unit(search, pid);
	case SELECT_MATCH:
		return is_matched(search, pid);
	}
	return false;
}

/* ---- one selector ---- */

static int search_init(struct search *out, const struct selector *selector, struct hp_err *err)
{
	*out = (struct search){.selector = selector};
	if (family_read(&out->family, err) < 0)
		return -1;
	if (selector->kind != SELECT_MATCH ||
	    regcomp(&out->pattern, selector->text, REG_EXTENDED | REG_NOSUB) == 0)
		return 0;
	family_fini(&out->family);
	return hp_err_set(err, HP_SYSTEM, ENOMEM, "compile a pattern");
}

static void search_fini(struct search *search)
{
	if (search->selector->kind == SELECT_MATCH)
		regfree(&search->pattern);
	family_fini(&search->family);
}

static int refuse_none(const struct search *search, struct hp_err *err)
{
	const char *text = search->selector->text;

	switch (search->selector->kind) {
	case SELECT_TREE:
		if (!search->seen)
			return hp_err_obstacle(err, OBSTACLE_GONE, 0, "there is no process %s",
					       text);
		return hp_err_set(err, HP_NO_PROCESS, 0,
				  "neither process %s nor a descendant of it is a Python",
				  text);
	case SELECT_UNIT:
		hp_err_set(err, HP_NO_PROCESS, 0, "no %sprocess is in the unit %s",
			   search->seen ? "Python " : "", search->selector->unit);
		return hp_err_hint(err, "systemctl status %s", text);
	case SELECT_MATCH:
		return hp_err_set(err, HP_NO_PROCESS, 0,
				  "no Python process has a command line that matches '%s'",
				  text);
	}
	return -1;
}

/* The units of several users' managers may have one name. */
static int refuse_ambiguous(const struct search *search, struct hp_err *err)
{
	hp_err_set(err, HP_USAGE, 0, "several units are called %s: %.100s and %.100s",
		   search->selector->unit, search->group, search->other);
	return hp_err_hint(err, "--unit %.200s", search->group);
}

static int add_found(struct selection *to, struct search *search, struct hp_err *err)
{
	for (size_t i = 0; i < search->family.count; i++) {
		const pid_t pid = search->family.items[i].pid;

		if (pid == getpid() || !is_meant(search, pid))
			continue;
		search->seen++;
		if (!target_has_python(pid))
			continue;
		search->pythons++;
		if (selection_has(to, pid))
			continue;
		pid_t *bigger = realloc(to->pids, (to->count + 1) * sizeof(*bigger));
		if (!bigger)
			return hp_err_set(err, HP_SYSTEM, ENOMEM, "choose processes");
		to->pids = bigger;
		to->pids[to->count++] = pid;
	}
	if (search->other[0])
		return refuse_ambiguous(search, err);
	return search->pythons ? 0 : refuse_none(search, err);
}

static int apply_selector(struct selection *to, const struct selector *selector,
			  struct hp_err *err)
{
	struct search search;
	int r;

	if (search_init(&search, selector, err) < 0)
		return -1;
	r = add_found(to, &search, err);
	search_fini(&search);
	return r;
}

/* ---- all of them ---- */

int selection_make(struct selection *out, const struct options *options, struct hp_err *err)
{
	struct selection selection = {
		.pids = calloc(options->pid_count + 1, sizeof(*selection.pids)),
		.count = options->pid_count,
	};
	int r = selection.pids ? 0 : hp_err_set(err, HP_SYSTEM, ENOMEM, "choose processes");

	if (r == 0)
		memcpy(selection.pids, options->pids, options->pid_count * sizeof(pid_t));
	for (size_t i = 0; r == 0 && i < options->selector_count; i++)
		r = apply_selector(&selection, &options->selectors[i], err);
	if (r == 0)
		*out = selection;
	else
		selection_fini(&selection);
	return r;
}

void selection_fini(struct selection *selection)
{
	free(selection->pids);
	*selection = (struct selection){0};
}

int selection_resolve(struct options *options, struct hp_err *err)
{
	struct selection selection;

	if (!options->selector_count)
		return 0;
	if (selection_make(&selection, options, err) < 0)
		return -1;
	free(options->pids);
	options->pids = selection.pids;
	options->pid_count = selection.count;
	return 0;
}

bool selection_has(const struct selection *selection, pid_t pid)
{
	for (size_t i = 0; i < selection->count; i++)
		if (selection->pids[i] == pid)
			return true;
	return false;
}
