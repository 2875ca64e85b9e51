/* SPDX-License-Identifier: MIT
 *
 * waitpid() has no timeout, so this sleeps for SIGCHLD, which the kernel sends at each stop of
 * a tracee, and asks without blocking. First it asks for a moment without sleeping: most stops
 * come within 20 us on another processor, and to be woken takes 10 more, of each of five stops.
 * It never yields or spins for long: on a loaded machine each sched_yield() gave a whole
 * scheduling slice away while the thread was held (held for 30 to 97 ms in place of 2), whereas
 * who wakes from sleep runs at once.
 *
 * The invariant: the caller's signal mask is as before. A SIGCHLD of other children that comes
 * meanwhile may be swallowed.
 */
#include "inject/trace/wait.h"

#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#include "inject/trace/restart.h"

#define SPIN_NS      25000
#define SLEEP_MAX_NS 5000000 /* should a signal be swallowed by somebody else */

void tracee_state_of_status(struct tracee *tracee, int status)
{
	int signal = WSTOPSIG(status);

	tracee->signal = 0;
	if (!WIFSTOPPED(status)) {
		tracee->state = TRACEE_GONE;
	} else if (status >> 16 == PTRACE_EVENT_STOP) {
		/* SIGTRAP: our PTRACE_INTERRUPT. Anything else: a group stop (ptrace(2)). */
		tracee->state = TRACEE_EVENT_STOP;
		tracee->signal = signal == SIGTRAP ? 0 : signal;
	} else if (signal == (SIGTRAP | 0x80)) {
		tracee->in_syscall = !tracee->in_syscall;
		tracee->state = tracee->in_syscall ? TRACEE_SYSCALL_ENTRY : TRACEE_SYSCALL_EXIT;
	} else {
		tracee->state = TRACEE_SIGNAL_STOP;
		tracee->signal = signal;
	}
}

static void sleep_for_a_stop(const sigset_t *sigchld, struct deadline deadline)
{
	int64_t ns = deadline_left_ns(deadline);
	struct timespec ts = {.tv_nsec = ns < 0 ? 0 : ns > SLEEP_MAX_NS ? SLEEP_MAX_NS : ns};

	sigtimedwait(sigchld, NULL, &ts);
}

#define STILL_RUNNING 2

/* At once, so that whoever lets the thread go, and even our death, leads back into its wait. */
static int note_stop(struct tracee *tracee, int status)
{
	tracee_state_of_status(tracee, status);
	if (tracee->state == TRACEE_GONE)
		return TRACEE_VANISHED;
	if ((tracee->state == TRACEE_EVENT_STOP || tracee->state == TRACEE_SIGNAL_STOP) &&
	    !restart_avoid(tracee)) {
		tracee->state = TRACEE_GONE;
		return TRACEE_VANISHED;
	}
	return TRACEE_OK;
}

static int ask(struct tracee *tracee, struct deadline deadline, struct hp_err *err)
{
	int status;
	pid_t got = waitpid(tracee->tid, &status, __WALL | WNOHANG);

	if (got == tracee->tid)
		return note_stop(tracee, status);
	if (got < 0 && errno == ECHILD) {
		tracee->state = TRACEE_GONE;
		return TRACEE_VANISHED;
	}
	if (got < 0 && errno != EINTR)
		return hp_err_set(err, HP_SYSTEM, errno, "wait for thread %d", tracee->tid);
	if (deadline_passed(deadline))
		return hp_err_set(err, HP_TIMEOUT, 0, "thread %d did not stop in time",
				  tracee->tid);
	return STILL_RUNNING;
}

static int wait_awake(struct tracee *tracee, struct deadline deadline, struct hp_err *err)
{
	const struct deadline awake = deadline_after_ns(SPIN_NS);
	int r;

	do {
		r = ask(tracee, deadline, err);
	} while (r == STILL_RUNNING && !deadline_passed(awake));
	return r;
}

/* With SIGCHLD blocked. */
static int wait_asleep(struct tracee *tracee, const sigset_t *sigchld, struct deadline deadline,
		       struct hp_err *err)
{
	int r;

	while ((r = ask(tracee, deadline, err)) == STILL_RUNNING)
		sleep_for_a_stop(sigchld, deadline);
	return r;
}

int tracee_wait(struct tracee *tracee, struct deadline deadline, struct hp_err *err)
{
	sigset_t sigchld, before;
	int r = wait_awake(tracee, deadline, err);

	if (r != STILL_RUNNING)
		return r;
	sigemptyset(&sigchld);
	sigaddset(&sigchld, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &sigchld, &before);
	r = wait_asleep(tracee, &sigchld, deadline, err);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}
