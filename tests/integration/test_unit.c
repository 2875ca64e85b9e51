/* SPDX-License-Identifier: MIT
 *
 * --unit against control groups of the kernel's, named as systemd names a service's: in the
 * unified hierarchy, and in the one of its own that systemd has beside version 1.
 */
#include <errno.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/deadline.h"
#include "inject/base/err.h"
#include "tests/integration/pytarget.h"

enum { MAIN, WORKER, STRANGER, COUNT };

static struct pytarget targets[COUNT];
static struct run run;
static char unit[64], slice[300], group[400], workers[420];
static bool made_slice;

/* Where the hierarchy is mounted. */
static bool find_hierarchy(char *out, size_t size, const char *type, const char *option)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	const struct mntent *entry;
	bool found = false;

	while (mounts && !found && (entry = getmntent(mounts))) {
		found = !strcmp(entry->mnt_type, type) && (!option || hasmntopt(entry, option));
		if (found)
			snprintf(out, size, "%s", entry->mnt_dir);
	}
	if (mounts)
		endmntent(mounts);
	return found;
}

static void make_group(const char *type, const char *option)
{
	char mount[200];

	if (!find_hierarchy(mount, sizeof(mount), type, option))
		cr_skip_test("no hierarchy of control groups of that kind is mounted");
	snprintf(unit, sizeof(unit), "pyhotpatch-test-%d.service", (int)getpid());
	snprintf(slice, sizeof(slice), "%s/system.slice", mount);
	snprintf(group, sizeof(group), "%s/%s", slice, unit);
	snprintf(workers, sizeof(workers), "%s/workers", group);
	made_slice = mkdir(slice, 0755) == 0;
	if (mkdir(group, 0755) < 0)
		cr_skip_test("cannot make the control group %s: %s", group, strerror(errno));
	cr_assert(eq(int, mkdir(workers, 0755), 0), "%s", workers);
}

/* The kernel lets go of a group a little after its last process. */
static void remove_group(const char *path)
{
	for (int wait = 0; rmdir(path) < 0 && errno == EBUSY && wait < 100; wait++)
		sleep_ms(20);
}

static void stop(void)
{
	for (int i = 0; i < COUNT; i++)
		pytarget_stop(&targets[i]);
	if (workers[0])
		remove_group(workers);
	if (group[0])
		remove_group(group);
	if (made_slice)
		remove_group(slice);
}

static void put_into(const struct pytarget *target, const char *path)
{
	char name[450];

	snprintf(name, sizeof(name), "%s/cgroup.procs", path);
	FILE *procs = fopen(name, "w");
	cr_assert(procs != NULL && fprintf(procs, "%s\n", target->number) > 0 &&
			  fclose(procs) == 0,
		  "%s: %s", name, strerror(errno));
}

static void start_in_unit(void)
{
	size_t count;
	const struct interpreter *all = interpreters_all(&count), *served = NULL;

	for (size_t i = 0; i < count; i++)
		if (interpreter_is_served(&all[i]) && !all[i].root[0])
			served = &all[i];
	if (!served)
		cr_skip_test("no CPython 3.7 to 3.15 on this machine");
	for (int i = 0; i < COUNT; i++) {
		pytarget_start(&targets[i], served, "idle.py", "sleep", "0.03");
		pytarget_edit(&targets[i]);
	}
	put_into(&targets[MAIN], group);
	put_into(&targets[WORKER], workers);
}

static void ask(const char *command, const char *name)
{
	run_command(&run, (const char *[]){pyhotpatch_path(), command, "--unit", name, NULL},
		    60000);
}

static void expect_versions(int version)
{
	struct round round;

	for (int i = 0; i < COUNT; i++) {
		pytarget_fresh(&targets[i], &round);
		expect_version(&targets[i], &round, i == STRANGER ? 0 : version);
	}
}

static void serve_unit(void)
{
	char name[sizeof(unit)];

	start_in_unit();
	ask("attach", unit);
	expect_status(&targets[MAIN], &run, 0);
	expect_text(&run, run.out, "2 processes: 2 applied");
	expect_versions(1);

	memcpy(name, unit, sizeof(name)); /* without ".service" */
	*strrchr(name, '.') = 0;
	ask("rollback", name);
	expect_status(&targets[MAIN], &run, 0);
	expect_text(&run, run.out, "2 processes: 2 rolled back");
	expect_versions(0);

	ask("attach", "pyhotpatch-test-none.service");
	expect_status(&targets[MAIN], &run, hp_err_exit_status(HP_NO_PROCESS));
	expect_text(&run, run.err, "process is in the unit pyhotpatch-test-none.service");
	expect_versions(0);
}

Test(unit, in_the_unified_hierarchy, .fini = stop, .timeout = 120)
{
	make_group("cgroup2", NULL);
	serve_unit();
}

Test(unit, in_the_hierarchy_of_systemd, .fini = stop, .timeout = 120)
{
	make_group("cgroup", "name=systemd");
	serve_unit();
}
