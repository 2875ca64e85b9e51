/* SPDX-License-Identifier: MIT
 *
 * waitpid() has no timeout and SIGCHLD belongs to the caller, so this polls: a few times at
 * once, because most stops come within microseconds, then with growing sleeps.
 */
#include "inject/trace/wait.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#define SPINS        200
#define SLEEP_MAX_NS 1000000

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

static void pause_between(unsigned tries)
{
	int64_t ns = 20000ll << (tries > SPINS + 6 ? 6 : tries - SPINS);
	struct timespec ts = {.tv_nsec = ns > SLEEP_MAX_NS ? SLEEP_MAX_NS : ns};

	nanosleep(&ts, NULL);
}

int tracee_wait(struct tracee *tracee, struct deadline deadline, struct hp_err *err)
{
	for (unsigned tries = 0;; tries++) {
		int status;
		pid_t got = waitpid(tracee->tid, &status, __WALL | WNOHANG);

		if (got == tracee->tid) {
			tracee_state_of_status(tracee, status);
			return tracee->state == TRACEE_GONE ? TRACEE_VANISHED : TRACEE_OK;
		}
		if (got < 0 && errno == ECHILD) {
			tracee->state = TRACEE_GONE;
			return TRACEE_VANISHED;
		}
		if (got < 0 && errno != EINTR)
			return hp_err_set(err, HP_SYSTEM, errno, "wait for thread %d",
					  tracee->tid);
		if (deadline_passed(deadline))
			return hp_err_set(err, HP_TIMEOUT, 0, "thread %d did not stop in time",
					  tracee->tid);
		if (tries < SPINS)
			sched_yield();
		else
			pause_between(tries);
	}
}
