/* SPDX-License-Identifier: MIT
 *
 * See victim.h.
 */
#include "tests/trace/victim.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/target/parts.h"

/* Shared memory, by a descriptor that a program can be given. */
static struct victim_shared *share(int *fd_out)
{
	struct victim_shared *shared;

	*fd_out = memfd_create("victim", 0);
	cr_assert(eq(int, ftruncate(*fd_out, sizeof(*shared)), 0));
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, *fd_out, 0);
	cr_assert(ne(ptr, shared, MAP_FAILED));
	return shared;
}

static void await_ready(struct victim *out, pid_t pid, struct victim_shared *shared)
{
	for (int i = 0; i < 10000 && !shared->tid; i++)
		usleep(1000);
	cr_assert(ne(int, shared->tid, 0), "the victim did not become ready");
	usleep(20000); /* into its call */
	*out = (struct victim){.pid = pid, .tid = shared->tid, .shared = shared};
}

void victim_spawn(struct victim *out, victim_body run, bool on_thread)
{
	const struct body body = {"", run, on_thread};
	int fd;
	struct victim_shared *shared = share(&fd);
	pid_t pid = fork();

	cr_assert(ge(int, pid, 0));
	if (pid == 0)
		victim_become(&body, shared);
	close(fd);
	await_ready(out, pid, shared);
}

void victim_spawn_on_musl(struct victim *out, const char *body)
{
	int fd;
	struct victim_shared *shared = share(&fd);
	char number[16];
	pid_t pid;

	snprintf(number, sizeof(number), "%d", fd);
	pid = fork();
	cr_assert(ge(int, pid, 0));
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setenv("VICTIM_LIBRARY", getenv("VICTIM_LIBRARY_ON_MUSL"), 1);
		execl(getenv("MUSL_VICTIM"), "musl_victim", number, body, (char *)NULL);
		_exit(127);
	}
	close(fd);
	await_ready(out, pid, shared);
}

void victim_needs_musl(void)
{
	if (!getenv("MUSL_VICTIM"))
		cr_skip_test("there was no musl-gcc when this was built");
}

void victim_end(struct victim *victim)
{
	kill(victim->pid, SIGKILL);
	waitpid(victim->pid, NULL, 0);
	munmap(victim->shared, sizeof(*victim->shared));
}

void victim_describe(struct target *out, const struct victim *victim)
{
	struct hp_err err;

	*out = (struct target){.pid = victim->pid, .pidfd = -1, .procfd = -1};
	cr_assert(eq(int, procfs_open(&out->procfd, victim->pid, &err), 0), "%s", err.text);
	cr_assert(eq(int, maps_read(&out->maps, out->procfd, &err), 0), "%s", err.text);
	cr_assert(eq(int, modules_find(out, &err), 0), "%s", err.text);
	cr_assert(eq(int, libc_find(out, &err), 0), "%s", err.text);
}
