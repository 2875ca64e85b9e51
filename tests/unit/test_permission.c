/* SPDX-License-Identifier: MIT
 *
 * Why the kernel said no: each reason told apart from the others. Real processes where one can
 * be made, a folder that looks like /proc where the machine cannot be changed.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/target/target.h"
#include "victims.h"

#define SOMEBODY 65534

static void nothing(void *argument)
{
	(void)argument;
}

/* Runs in a child that is nobody: what does it hear about pid? Sent back as raw bytes. */
static struct hp_err hear_as_nobody(pid_t pid)
{
	struct hp_err err = {0};
	int pipefd[2];

	cr_assert(eq(int, pipe(pipefd), 0));
	pid_t child = fork();
	if (!child) {
		struct target target;

		if (geteuid() == 0 && (setresgid(SOMEBODY, SOMEBODY, SOMEBODY) < 0 ||
				       setresuid(SOMEBODY, SOMEBODY, SOMEBODY) < 0))
			_exit(1);
		if (target_describe(&target, pid, TARGET_FULL, &err) == 0)
			_exit(2);
		if (write(pipefd[1], &err, sizeof(err)) != (ssize_t)sizeof(err))
			_exit(3);
		_exit(0);
	}
	int status = -1;
	waitpid(child, &status, 0);
	cr_assert(eq(int, status, 0));
	cr_assert(eq(int, (int)read(pipefd[0], &err, sizeof(err)), (int)sizeof(err)));
	return err;
}

Test(permission, another_users_process)
{
	struct victim victim = victim_fork(nothing, NULL);
	pid_t pid = geteuid() == 0 ? victim.pid : 1;
	struct hp_err err = hear_as_nobody(pid);
	char advice[64];

	cr_assert(eq(int, err.obstacle, OBSTACLE_OTHER_USER), "%s", err.text);
	cr_assert(ne(ptr, strstr(err.text, "belongs to root"), NULL), "%s", err.text);
	snprintf(advice, sizeof(advice), "sudo pyhotpatch attach %d", pid);
	cr_assert(eq(str, hp_err_hint_of(&err), advice));
	victim_end(&victim);
}

static void become_undumpable(void *argument)
{
	if (geteuid() == 0 && (setresgid(SOMEBODY, SOMEBODY, SOMEBODY) < 0 ||
			       setresuid(SOMEBODY, SOMEBODY, SOMEBODY) < 0))
		_exit(1);
	prctl(PR_SET_DUMPABLE, 0);
	close(*(int *)argument);
}

/* As set-uid and set-gid programs run: the real user is the caller's, the rights are not. */
static void become_set_uid(void *argument)
{
	if (setresgid(SOMEBODY, SOMEBODY, SOMEBODY) < 0 || setresuid(SOMEBODY, SOMEBODY, 0) < 0)
		_exit(1);
	close(*(int *)argument);
}

static void become_set_gid(void *argument)
{
	if (setresgid(SOMEBODY, SOMEBODY, 0) < 0 || setresuid(SOMEBODY, SOMEBODY, SOMEBODY) < 0)
		_exit(1);
	close(*(int *)argument);
}

/* What somebody of the same user hears about a process that has become this. */
static void assert_same_user_refused(void (*become)(void *), enum hp_obstacle obstacle,
				     const char *says)
{
	int pipefd[2];
	char byte;

	cr_assert(eq(int, pipe(pipefd), 0));
	struct victim victim = victim_fork(become, &pipefd[1]);
	close(pipefd[1]);
	cr_assert(eq(int, (int)read(pipefd[0], &byte, 1), 0)); /* it is ready when it closes */
	struct hp_err err = hear_as_nobody(victim.pid);
	cr_assert(eq(int, err.obstacle, obstacle), "%s", err.text);
	cr_assert(ne(ptr, strstr(err.text, says), NULL), "%s", err.text);
	cr_assert(ne(ptr, strstr(hp_err_hint_of(&err), "sudo pyhotpatch attach"), NULL));
	victim_end(&victim);
}

/* As a service of the same user that confined itself. */
static void become_confined(void *argument)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = {1, &allow};

	if (geteuid() == 0 && (setresgid(SOMEBODY, SOMEBODY, SOMEBODY) < 0 ||
			       setresuid(SOMEBODY, SOMEBODY, SOMEBODY) < 0))
		_exit(1);
	prctl(PR_SET_DUMPABLE, 1); /* changing the user has cleared it */
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(1);
	close(*(int *)argument);
}

Test(permission, a_filter_that_only_root_may_read)
{
	assert_same_user_refused(become_confined, OBSTACLE_SECCOMP_UNREADABLE,
				 "might kill the process");
}

Test(permission, a_protected_process_of_the_same_user)
{
	assert_same_user_refused(become_undumpable, OBSTACLE_NOT_DUMPABLE, "not dumpable");
}

Test(permission, a_set_uid_process_of_the_same_user)
{
	if (geteuid() != 0)
		cr_skip("only root can take another user's rights");
	assert_same_user_refused(become_set_uid, OBSTACLE_SET_ID, "set-uid");
	assert_same_user_refused(become_set_gid, OBSTACLE_SET_ID, "set-gid");
}

/* A folder that looks like /proc as far as the diagnosis looks. */
struct fake_proc {
	char root[64];
};

static void put(const struct fake_proc *fake, const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", fake->root, name);
	for (char *slash = path + strlen(fake->root) + 1; (slash = strchr(slash, '/'));
	     slash++) {
		*slash = '\0';
		mkdir(path, 0700);
		*slash = '/';
	}
	FILE *file = fopen(path, "we");
	cr_assert(ne(ptr, file, NULL), "%s", path);
	fputs(text, file);
	fclose(file);
}

static void put_status(const struct fake_proc *fake, pid_t pid, const char *caps)
{
	char name[64], text[1024];

	snprintf(text, sizeof(text),
		 "Name:\tfake\nState:\tS (sleeping)\nTgid:\t%d\nPPid:\t1\nTracerPid:\t0\n"
		 "Uid:\t%u\t%u\t%u\t%u\nGid:\t7\t7\t7\t7\nThreads:\t1\nSigBlk:\t0\n"
		 "CapPrm:\t%s\nCapEff:\t%s\n",
		 pid, getuid(), getuid(), getuid(), getuid(), caps, caps);
	snprintf(name, sizeof(name), "%d/status", pid);
	put(fake, name, text);
	snprintf(name, sizeof(name), "%d/maps", pid);
	put(fake, name, "");
}

static void remove_fake(const struct fake_proc *fake)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", fake->root);
	cr_assert(eq(int, system(command), 0));
	unsetenv("HP_PROC_ROOT");
}

/* The namespace that a process of the fake lives in, as its link reads. */
static void put_namespace(const struct fake_proc *fake, const char *process, const char *link)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s/ns", fake->root, process);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/%s/ns/user", fake->root, process);
	cr_assert(eq(int, symlink(link, path), 0));
}

static const char no_caps[] = "0", all_caps[] = "1ffffffffff";

struct fake_case {
	const char *yama; /* NULL: the kernel has none */
	const char *our_caps, *its_caps;
	const char *its_namespace; /* NULL: as ours */
};

/* Why the kernel said no to us about a process of our own user. */
static struct hp_err diagnose_fake(const struct fake_case *c)
{
	struct fake_proc fake = {"/tmp/test_proc_XXXXXX"};
	struct target target = {.pid = 4194305, .pidfd = -1};
	struct hp_err err = {0};

	cr_assert(ne(ptr, mkdtemp(fake.root), NULL));
	setenv("HP_PROC_ROOT", fake.root, 1);
	put_status(&fake, getpid(), c->our_caps);
	put_status(&fake, target.pid, c->its_caps);
	put(&fake, "self/comm", "fake");
	put_namespace(&fake, "self", "user:[1]");
	put_namespace(&fake, "4194305", c->its_namespace ? c->its_namespace : "user:[1]");
	if (c->yama)
		put(&fake, "sys/kernel/yama/ptrace_scope", c->yama);
	cr_assert(eq(int, procfs_open(&target.procfd, target.pid, &err), 0));
	cr_assert(eq(int, proc_status_read(&target.status, target.procfd, "status", &err), 0));
	cr_assert(eq(int, target_diagnose_eperm(&target, "attach", &err), -1));
	cr_assert(eq(int, err.kind, HP_PERMISSION));
	close(target.procfd);
	remove_fake(&fake);
	return err;
}

static void assert_diagnosed(const struct fake_case *c, enum hp_obstacle obstacle,
			     const char *says)
{
	struct hp_err err = diagnose_fake(c);

	cr_assert(eq(int, err.obstacle, obstacle), "%s", err.text);
	cr_assert(ne(ptr, strstr(err.text, says), NULL), "%s", err.text);
	cr_assert(ne(str, hp_err_hint_of(&err), ""));
	/* Level 3 binds root too, so sudo is no remedy. */
	if (obstacle == OBSTACLE_YAMA_OFF)
		cr_assert(eq(ptr, strstr(hp_err_hint_of(&err), "sudo"), NULL));
}

Test(permission, yama_is_told_by_its_level)
{
	static const struct {
		struct fake_case fake;
		enum hp_obstacle obstacle;
		const char *says;
	} cases[] = {
		{{"1\n", no_caps, no_caps, NULL}, OBSTACLE_YAMA, "ptrace_scope is 1 (only its"},
		{{"2\n", no_caps, no_caps, NULL}, OBSTACLE_YAMA, "ptrace_scope is 2 (only adm"},
		{{"3\n", all_caps, no_caps, NULL}, OBSTACLE_YAMA_OFF, "ptrace_scope is 3"},
		{{"3\n", no_caps, no_caps, NULL}, OBSTACLE_YAMA_OFF, "ptrace_scope is 3"},
		/* With the capability, or without Yama, it is not Yama. */
		{{"1\n", all_caps, no_caps, NULL}, OBSTACLE_SECURITY_MODULE, "kernel forbids"},
		{{"0\n", no_caps, no_caps, NULL}, OBSTACLE_SECURITY_MODULE, "kernel forbids"},
		{{NULL, no_caps, no_caps, NULL}, OBSTACLE_SECURITY_MODULE, "kernel forbids"},
		{{"garbage\n", no_caps, no_caps, NULL}, OBSTACLE_SECURITY_MODULE, "kernel"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_diagnosed(&cases[i].fake, cases[i].obstacle, cases[i].says);
}

Test(permission, capabilities_are_told)
{
	assert_diagnosed(&(struct fake_case){"0\n", no_caps, "400", NULL},
			 OBSTACLE_CAPABILITIES, "capabilities that you have not");
}

Test(permission, another_user_namespace_is_told)
{
	assert_diagnosed(&(struct fake_case){NULL, all_caps, no_caps, "user:[2]"},
			 OBSTACLE_USER_NAMESPACE, "another user namespace");
}

Test(permission, a_pid_out_of_a_container_is_explained)
{
	struct fake_proc fake = {"/tmp/test_proc_XXXXXX"};
	struct hp_err err[1] = {0};

	cr_assert(ne(ptr, mkdtemp(fake.root), NULL));
	setenv("HP_PROC_ROOT", fake.root, 1);
	put_status(&fake, 4194305, no_caps);
	cr_assert(eq(sz, target_obstacles(4711, err, 1), 1));
	cr_assert(eq(int, err[0].obstacle, OBSTACLE_GONE));
	cr_assert(eq(ptr, strstr(hp_err_hint_of(&err[0]), "container"), NULL));
	put(&fake, "4194305/status",
	    "Name:\tfake\nState:\tS (sleeping)\nTgid:\t4194305\nNSpid:\t4194305\t4711\n"
	    "PPid:\t1\nTracerPid:\t0\nUid:\t7\t7\t7\t7\nGid:\t7\t7\t7\t7\nThreads:\t1\n"
	    "SigBlk:\t0\nCapPrm:\t0\nCapEff:\t0\n");
	cr_assert(eq(sz, target_obstacles(4711, err, 1), 1));
	cr_assert(eq(int, err[0].obstacle, OBSTACLE_GONE));
	cr_assert(ne(ptr, strstr(hp_err_hint_of(&err[0]), "pyhotpatch attach 4194305"), NULL),
		  "%s", hp_err_hint_of(&err[0]));
	remove_fake(&fake);
}
