/* SPDX-License-Identifier: MIT
 *
 * What a caller may do without being root: serve its own processes, serve others with
 * CAP_SYS_PTRACE alone, and hear why not.
 */
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/base/err.h"
#include "tests/integration/pytarget.h"
#include "tests/integration/snapshot.h"

static const char *const as_nobody[] = {"setpriv", "--reuid",        "65534", "--regid",
					"65534",   "--clear-groups", NULL};

static struct pytarget target;
static struct snapshot before;
static struct run run;
static char program[512];

static void stop(void)
{
	pytarget_stop(&target);
}

/* An interpreter that everybody may run: not one below root's home. */
static const struct interpreter *public_interpreter(void)
{
	const struct interpreter *python = interpreters_other();

	if (geteuid() != 0)
		cr_skip_test("only root can become somebody else");
	if (!python || strncmp(python->path, "/usr/", 5) != 0)
		cr_skip_test("no CPython 3.7 to 3.13 that everybody may run");
	return python;
}

static void start(const char *script, const char *const *wrapper)
{
	const struct interpreter *python = public_interpreter();

	pytarget_wrapper = wrapper;
	pytarget_writes_bytecode = false; /* nobody may not */
	pytarget_public = true;
	pytarget_start(&target, python, script, "sleep", "0.3");
	pytarget_copy_program(&target, program, sizeof(program));
	sleep_ms(100);
	snapshot_take(&before, target.pid);
	pytarget_edit(&target);
}

/* Run the copy by `words` and setpriv's further options. */
static void attach_by(const char *const *words)
{
	const char *argv[24], *tail[] = {program, "attach", "--json", NULL, NULL};
	char number[16];
	size_t count = 0;

	snprintf(number, sizeof(number), "%d", target.pid);
	tail[3] = number;
	while (*words)
		argv[count++] = *words++;
	for (size_t i = 0; i < 4; i++)
		argv[count++] = tail[i];
	argv[count] = NULL;
	run_command(&run, argv, 20000);
}

Test(privilege, a_user_serves_its_own_process, .fini = stop, .timeout = 60)
{
	start("idle.py", as_nobody);
	attach_by(as_nobody);
	expect_status(&target, &run, 0);
	expect_version_as_found(&target, &before, 1);
}

Test(privilege, cap_sys_ptrace_alone_serves_another_users, .fini = stop, .timeout = 60)
{
	static const char *const with_capability[] = {
		"setpriv",        "--reuid",          "65534",      "--regid",
		"65534",          "--clear-groups",   "--inh-caps", "-all,+sys_ptrace",
		"--ambient-caps", "-all,+sys_ptrace", NULL};

	start("idle.py", NULL);
	attach_by(with_capability);
	expect_status(&target, &run, 0);
	expect_version_as_found(&target, &before, 1);
}

/* `setcap cap_sys_ptrace=ep`. */
static void give_capability(const char *path)
{
	const struct vfs_cap_data capability = {
		.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
		.data[0].permitted = 1u << CAP_SYS_PTRACE,
	};

	if (setxattr(path, "security.capability", &capability, sizeof(capability), 0) < 0)
		cr_skip_test("no file capabilities here: %s", strerror(errno));
}

/* The program is privileged then, its caller is not: what the environment says counts for
 * nothing, and its own /proc belongs to root. */
Test(privilege, a_capability_of_the_file_serves_another_users, .fini = stop, .timeout = 60)
{
	static const char *const with_payload[] = {
		"env",     "PYHOTPATCH_PAYLOAD=/nowhere/payload.so",
		"setpriv", "--reuid",
		"65534",   "--regid",
		"65534",   "--clear-groups",
		NULL};

	start("idle.py", NULL);
	attach_by(as_nobody);
	expect_status(&target, &run, hp_err_exit_status(HP_PERMISSION));
	give_capability(program);
	attach_by(with_payload);
	expect_status(&target, &run, 0);
	expect_version_as_found(&target, &before, 1);
}

/* What no privilege helps against. */
Test(privilege, no_descriptor_is_left, .fini = stop, .timeout = 60)
{
	start("crowded.py", as_nobody);
	pytarget_await(&target, "crowded");
	sleep_ms(100);
	snapshot_take(&before, target.pid);
	attach_by(as_nobody);
	expect_status(&target, &run, hp_err_exit_status(hp_obstacle_kind(OBSTACLE_LIMIT)));
	expect_text(&run, run.out, "\"obstacle\":\"limit\"");
	expect_text(&run, run.out, "Too many open files");
	expect_version_as_found(&target, &before, 0);
}
