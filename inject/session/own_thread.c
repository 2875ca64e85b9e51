/* SPDX-License-Identifier: MIT
 *
 * See own_thread.h. The thread sleeps in usleep() when it is stopped: no lock is held there, so
 * that it needs no judgement. Let go by its frame the sleep ends at once, and the thread with
 * it.
 */
#include "inject/session/own_thread.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "inject/base/cleanup.h"
#include "inject/proc/procfs.h"
#include "inject/session/threads.h"

#define FIND_NS      500000000 /* for it to come to its sleep; mostly 50 us */
#define PAUSE_NS     20000
#define END_PAUSE_NS 1000000
#define END_NS       300000000 /* for it to end, when it is not used */

/* Where a thread is is told to the owner of the process, and to root. */
static bool can_look(const struct target *target)
{
	_cleanup_fd_ int fd = openat(target->procfd, "syscall", O_RDONLY | O_CLOEXEC);

	return fd >= 0;
}

void own_thread_prepare(struct own_thread *out, const struct target *target)
{
	*out = (struct own_thread){.target = target};
	spawn_find(&out->spawn, target);
	chains_find(&out->chains, target);
	out->spawn.is_possible &= out->chains.are_possible && can_look(target);
}

/* Its number; 0: it is not there; PERHAPS: one that runs, of which nothing is known, may be it.
 */
#define PERHAPS (-1)
static pid_t look(bool *is_asleep, const struct own_thread *own)
{
	_cleanup_free_ pid_t *tids = NULL;
	struct safepoint_stop place;
	struct hp_err ignored;
	pid_t found = 0;
	size_t count;

	*is_asleep = false;
	if (proc_threads(&tids, &count, own->target->procfd, &ignored) < 0)
		return 0;
	while (count-- > 0) { /* mostly it is the last one */
		if (!thread_place_read(&place, own->target, tids[count])) {
			found = PERHAPS;
		} else if (spawn_has_stack(place.sp, own->thread)) {
			*is_asleep = spawn_may_be_it(place.syscall_nr, place.sp, own->thread);
			return tids[count];
		}
	}
	return found;
}

static int find(pid_t *tid, const struct own_thread *own, struct hp_err *err)
{
	const struct deadline until = deadline_after_ns(FIND_NS);
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	bool is_asleep;

	while ((*tid = look(&is_asleep, own)) && !is_asleep && !deadline_passed(until))
		nanosleep(&pause, NULL);
	if (*tid > 0)
		return 0;
	return hp_err_set(err, HP_TIMEOUT, 0, "the new thread is not to be found");
}

static int use(struct handover *handover, struct tracee *tracee, const struct own_thread *own,
	       struct span request, struct deadline deadline, struct hp_err *err)
{
	const struct step step = {tracee, own->target, deadline};

	if (!spawn_is_it(tracee, own->thread))
		return hp_err_set(err, HP_TIMEOUT, 0, "the new thread has gone on");
	if (tracee_hijack(tracee, TRACEE_ROOM, err) < 0)
		return -1;
	if (handover->leftovers)
		leftovers_unmap(handover->leftovers, &step);
	return handover_run_apart(handover, tracee, &own->chains, request, deadline, err);
}

/* Not to leave more than one stack behind when another thread is made in its stead. A rival may
 * have it, for which it is a thread of the program's. */
static void await_end(const struct own_thread *own, pid_t tid)
{
	const struct deadline until = deadline_after_ns(END_NS);
	const struct timespec pause = {.tv_nsec = END_PAUSE_NS};
	char name[32];
	bool is_asleep;

	snprintf(name, sizeof(name), "task/%d", tid);
	while ((tid > 0 ? faccessat(own->target->procfd, name, F_OK, 0) == 0
			: look(&is_asleep, own) != 0) &&
	       !deadline_passed(until))
		nanosleep(&pause, NULL);
}

static int stop_and_use(struct handover *handover, const struct own_thread *own, pid_t tid,
			struct span request, struct deadline deadline, struct hp_err *err)
{
	struct tracee tracee;
	int r = tracee_stop(&tracee, own->target, tid, deadline, err);

	if (r == TRACEE_VANISHED)
		return hp_err_set(err, HP_TIMEOUT, 0, "the new thread has ended");
	if (r < 0)
		return -1;
	r = use(handover, &tracee, own, request, deadline, err);
	if (r < 0)
		tracee_abandon(&tracee);
	return r;
}

int own_thread_run(struct handover *handover, const struct own_thread *own, struct span request,
		   struct deadline deadline, struct hp_err *err)
{
	pid_t tid;

	if (find(&tid, own, err) == 0 &&
	    stop_and_use(handover, own, tid, request, deadline, err) == 0)
		return 0;
	if (!handover->launched)
		await_end(own, tid);
	return -1;
}
