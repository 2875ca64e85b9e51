/* SPDX-License-Identifier: MIT
 *
 * See victim.h.
 */
#include "tests/trace/victim.h"

#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "inject/target/parts.h"

struct launch {
	victim_body body;
	struct victim_shared *shared;
};

static void *run(void *arg)
{
	const struct launch *launch = arg;

	launch->body(launch->shared);
	return NULL;
}

static int note_libc(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct victim_shared *shared = arg;
	const ElfW(Phdr) * p;

	(void)size;
	if (!strstr(info->dlpi_name, "libc.so"))
		return 0;
	for (p = info->dlpi_phdr; p < info->dlpi_phdr + info->dlpi_phnum; p++) {
		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
			continue;
		shared->libc_start = info->dlpi_addr + p->p_vaddr;
		shared->libc_end = shared->libc_start + p->p_memsz;
	}
	return 1;
}

static void become_victim(struct launch *launch, bool on_thread)
{
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (on_thread && pthread_create(&thread, NULL, run, launch) == 0)
		for (;;)
			pause();
	run(launch);
	_exit(1);
}

void victim_ready(struct victim_shared *shared)
{
	shared->tid = (pid_t)syscall(SYS_gettid);
}

void victim_spawn(struct victim *out, victim_body body, bool on_thread)
{
	struct victim_shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
					    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct launch launch = {body, shared};
	pid_t pid;

	cr_assert(ne(ptr, shared, MAP_FAILED));
	dl_iterate_phdr(note_libc, shared);
	pid = fork();
	cr_assert(ge(int, pid, 0));
	if (pid == 0)
		become_victim(&launch, on_thread);
	for (int i = 0; i < 10000 && !shared->tid; i++)
		usleep(1000);
	cr_assert(ne(int, shared->tid, 0), "the victim did not become ready");
	usleep(20000); /* into its call */
	*out = (struct victim){.pid = pid, .tid = shared->tid, .shared = shared};
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
