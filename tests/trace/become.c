/* SPDX-License-Identifier: MIT
 *
 * How a process becomes a victim. See bodies.h.
 */
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/trace/bodies.h"

struct launch {
	victim_body run;
	struct victim_shared *shared;
};

static void *run(void *arg)
{
	const struct launch *launch = arg;

	launch->run(launch->shared);
	return NULL;
}

static int note_libc(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct victim_shared *shared = arg;
	const ElfW(Phdr) * p;

	(void)size;
	if (!strstr(info->dlpi_name, "libc.so") && !strstr(info->dlpi_name, "ld-musl"))
		return 0;
	for (p = info->dlpi_phdr; p < info->dlpi_phdr + info->dlpi_phnum; p++) {
		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
			continue;
		shared->libc_start = info->dlpi_addr + p->p_vaddr;
		shared->libc_end = shared->libc_start + p->p_memsz;
	}
	return 1;
}

void victim_become(const struct body *body, struct victim_shared *shared)
{
	struct launch launch = {body->run, shared};
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	shared->self = shared;
	dl_iterate_phdr(note_libc, shared);
	if (body->on_thread && pthread_create(&thread, NULL, run, &launch) == 0)
		for (;;)
			pause();
	run(&launch);
	_exit(1);
}

void victim_ready(struct victim_shared *shared)
{
	shared->tid = (pid_t)syscall(SYS_gettid);
}
