/* SPDX-License-Identifier: MIT
 *
 * See family.h. The invariant: whatever /proc says, a walk towards the first ancestor ends.
 */
#include "inject/proc/family.h"

#include <fcntl.h>
#include <stdlib.h>

#include "inject/base/cleanup.h"
#include "inject/proc/procfs.h"

static int compare(const void *left, const void *right)
{
	const struct kin *a = left, *b = right;

	return a->pid < b->pid ? -1 : a->pid > b->pid;
}

/* False for one that has ended by now. */
static bool read_parent(struct kin *out, pid_t pid)
{
	_cleanup_fd_ int procfd = -1;
	struct proc_stat stat;
	struct hp_err ignored;

	if (procfs_open(&procfd, pid, &ignored) < 0 ||
	    proc_stat_read(&stat, procfd, &ignored) < 0)
		return false;
	*out = (struct kin){pid, stat.parent};
	return true;
}

int family_read(struct family *out, struct hp_err *err)
{
	_cleanup_free_ pid_t *pids = NULL;
	_cleanup_free_ struct kin *items = NULL;
	size_t count, known = 0;

	if (proc_list_all(&pids, &count, err) < 0)
		return -1;
	items = calloc(count + 1, sizeof(*items));
	if (!items)
		return hp_err_set(err, HP_SYSTEM, 0, "no memory for %zu processes", count);
	for (size_t i = 0; i < count; i++)
		known += read_parent(&items[known], pids[i]);
	qsort(items, known, sizeof(*items), compare);
	*out = (struct family){take_ptr(&items), known};
	return 0;
}

void family_fini(struct family *family)
{
	free(family->items);
	*family = (struct family){0};
}

static const struct kin *find(const struct family *family, pid_t pid)
{
	const struct kin wanted = {.pid = pid};

	return family->count
		       ? bsearch(&wanted, family->items, family->count, sizeof(wanted), compare)
		       : NULL;
}

bool family_has(const struct family *family, pid_t pid)
{
	return find(family, pid) != NULL;
}

bool family_descends(const struct family *family, pid_t pid, pid_t ancestor)
{
	for (size_t steps = 0; steps <= family->count; steps++) {
		const struct kin *found;

		if (pid == ancestor)
			return true;
		found = find(family, pid);
		if (!found)
			return false;
		pid = found->parent;
	}
	return false;
}
