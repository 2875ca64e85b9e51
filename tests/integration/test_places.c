/* SPDX-License-Identifier: MIT
 *
 * Targets in other places: containers (own mount, pid, user, network, ipc and uts namespaces),
 * another root, no /proc, a read-only root, files that were replaced under them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/err.h"
#include "tests/integration/pytarget.h"
#include "tests/integration/snapshot.h"

static struct pytarget target;
static struct snapshot before;
static struct run run;

static void stop(void)
{
	pytarget_stop(&target);
}

/* What `words` make must be possible here at all. */
static void need(const char *const *words)
{
	const char *argv[32];
	size_t count = 0;

	while (*words && count < 30)
		argv[count++] = *words++;
	argv[count++] = "true";
	argv[count] = NULL;
	run_command(&run, argv, 5000);
	if (run.status != 0)
		cr_skip_test("no such place can be made here: %s", run.err);
}

static void start(const struct interpreter *python, const char *const *wrapper)
{
	if (!python)
		cr_skip_test("no CPython 3.7 to 3.15 on this machine");
	if (python->root[0])
		cr_skip_test("it lives in another root, where nothing can be unshared");
	pytarget_wrapper = wrapper;
	pytarget_start(&target, python, "idle.py", "sleep", "0.3");
	sleep_ms(100);
	snapshot_take(&before, target.pid);
	pytarget_edit(&target);
}

static void expect_served(void)
{
	run_attach(&run, target.pid);
	expect_status(&target, &run, 0);
	expect_version_as_found(&target, &before, 1);
}

static void serve_both(const char *const *wrapper)
{
	start(interpreters_newest(), wrapper);
	expect_served();
	stop();
	start(interpreters_other(), wrapper);
	expect_served();
}

static void both_served(const char *const *wrapper)
{
	need(wrapper);
	serve_both(wrapper);
}

static const char *const container[] = {"unshare",      "--mount", "--pid",           "--fork",
					"--mount-proc", "--net",   "--ipc",           "--uts",
					"--cgroup",     "--user",  "--map-root-user", NULL};

Test(places, a_container, .fini = stop, .timeout = 60)
{
	both_served(container);
}

/* Its own pid there is 1: messages name both. */
Test(places, a_container_has_a_pid_of_its_own, .fini = stop, .timeout = 60)
{
	char number[16];

	need(container);
	start(interpreters_newest(), container);
	snprintf(number, sizeof(number), "%d", target.pid);
	run_pyhotpatch(&run, (const char *const[]){"doctor", number, NULL});
	expect_status(&target, &run, 0);
	expect_text(&run, run.out, "(pid 1 in its container): nothing stands in the way");
	run_pyhotpatch(&run, (const char *const[]){"attach", number, NULL});
	expect_status(&target, &run, 0);
	expect_text(&run, run.out, "(pid 1 in its container): applied");
	pytarget_write(&target, "edited.py", "def answer(:\n");
	run_pyhotpatch(&run, (const char *const[]){"attach", number, NULL});
	expect_status(&target, &run, hp_err_exit_status(HP_SOURCE));
	expect_text(&run, run.err, "(pid 1 in its container): ");
}

Test(places, no_proc_in_the_target, .fini = stop, .timeout = 60)
{
	static const char *const wrapper[] = {
		"unshare", "--mount", "sh", "-c", "umount -l /proc && exec \"$@\"", "sh", NULL};

	both_served(wrapper);
	/* When it began is not known: that says nothing of what is built into the interpreter.
	 */
	cr_expect(eq(ptr, strstr(run.out, "skipped"), NULL), "%s", run.out);
}

Test(places, a_read_only_root, .fini = stop, .timeout = 60)
{
	static const char *const wrapper[] = {
		"unshare", "--mount", "sh", "-c", "mount -o remount,bind,ro / && exec \"$@\"",
		"sh",      NULL};

	pytarget_writes_bytecode = false;
	both_served(wrapper);
}

/* Its interpreter and libraries are other files of the same names. */
static const char *const *another_root(void)
{
	static char script[512];
	static const char *const wrapper[] = {"unshare", "--mount", script, NULL};
	static const char *const mounts[] = {"unshare", "--mount", NULL};

	snprintf(script, sizeof(script), "%s/other_root.sh", getenv("PYHOTPATCH_TARGETS"));
	need(mounts);
	return wrapper;
}

Test(places, another_root, .fini = stop, .timeout = 60)
{
	serve_both(another_root());
}

/* An upgrade under a running service: interpreter, libpython, libc and loader are all gone, or
 * others are in their place. Only the names below root/ are touched: its mounts are not ours.
 */
static void upgrade(const char *command)
{
	char script[700];

	snprintf(script, sizeof(script),
		 "find '%s/root' -xdev -type f -exec sh -c '%s' sh {} +", target.dir, command);
	run_command(&run, (const char *const[]){"sh", "-c", script, NULL}, 10000);
	cr_assert(eq(int, run.status, 0), "%s", run.err);
	snapshot_take(&before, target.pid); /* "(deleted)" stands in its maps from now on */
}

/* By /proc/PID/map_files, and without the capability for it from memory. */
static void expect_served_after(const char *command)
{
	static const char *const less[] = {"setpriv", "--bounding-set",
					   "-sys_admin,-checkpoint_restore", NULL};
	char number[16];

	start(interpreters_newest(), another_root());
	upgrade(command);
	expect_served();
	stop();
	start(interpreters_other(), another_root());
	upgrade(command);
	snprintf(number, sizeof(number), "%d", target.pid);
	run_command(&run,
		    (const char *const[]){less[0], less[1], less[2], pyhotpatch_path(),
					  "attach", number, NULL},
		    20000);
	expect_status(&target, &run, 0);
	expect_version_as_found(&target, &before, 1);
}

Test(places, files_that_were_deleted_under_it, .fini = stop, .timeout = 60)
{
	expect_served_after("rm \"$@\"");
}

Test(places, files_that_were_replaced_under_it, .fini = stop, .timeout = 60)
{
	expect_served_after("for f; do cp /bin/true \"$f.new\"; mv \"$f.new\" \"$f\"; done");
}

/* vm.memfd_noexec is a pid namespace's: 1 makes memfds that may not be executed, 2 refuses
 * others. */
static void serve_without_executable_memfds(const char *level)
{
	const char *const wrapper[] = {"unshare",
				       "--pid",
				       "--fork",
				       "--mount-proc",
				       "sh",
				       "-c",
				       "echo \"$0\" > /proc/sys/vm/memfd_noexec && exec \"$@\"",
				       level,
				       NULL};

	need(wrapper);
	start(interpreters_newest(), wrapper);
	expect_served();
	stop();
}

Test(places, memfds_that_may_not_be_executed, .fini = stop, .timeout = 60)
{
	if (access("/proc/sys/vm/memfd_noexec", F_OK) < 0)
		cr_skip_test("this kernel has no vm.memfd_noexec (Linux 6.3)");
	serve_without_executable_memfds("1");
	serve_without_executable_memfds("2");
}
