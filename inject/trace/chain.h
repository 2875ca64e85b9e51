/* SPDX-License-Identifier: MIT
 *
 * Several calls on a hijacked thread without a stop in between, by a chain of signal frames,
 * and one stop behind them.
 *
 * The invariant: whenever we are killed, the thread goes through the rest of its chain and
 * returns by its frame to where it was, with its errno.
 */
#ifndef INJECT_TRACE_CHAIN_H
#define INJECT_TRACE_CHAIN_H

#include "inject/trace/tracee.h"

/* What it takes, found before the stop. */
struct chains {
	bool are_possible;
	int64_t errno_offset; /* from a thread's pointer */
	pid_t inner_pid;      /* what the process has for its own number */
};
void chains_find(struct chains *out, const struct target *target);

#define CHAIN_STEPS (ARCH_STEPS_MAX - 2)
#define CHAIN_DATA  12 /* words */
struct chain {
	struct arch_step steps[CHAIN_STEPS];
	size_t count;
	uint64_t data[CHAIN_DATA]; /* what they point to, at chain_data(); afterwards as it is
				      then */
};
remote_addr chain_data(const struct tracee *tracee);

/* Whether the thread can be put back exactly behind it: not one that blocks every signal, of
 * which it could not be told whether it has gone through it, nor one whose wait would go on by
 * restart_syscall. */
bool chain_is_exact(const struct tracee *tracee);

enum chain_outcome {
	CHAIN_DONE = 0, /* the results of its calls are not known */
	CHAIN_NOT = 1,  /* there is no room for it, or no way: nothing was done */
};
/* The thread is stopped again afterwards. HP_TIMEOUT: a call blocked; or it was late and the
 * thread has returned, as tracee->hijacked says. */
HP_MUST_CHECK int chain_run(struct tracee *tracee, const struct chains *chains,
			    struct chain *chain, struct deadline deadline, struct hp_err *err);
/* The same in two parts: in between the thread runs, and we can do something else. CHAIN_DONE:
 * it was begun, and is to be ended. */
HP_MUST_CHECK int chain_begin(struct tracee *tracee, const struct chains *chains,
			      const struct chain *chain, struct hp_err *err);
HP_MUST_CHECK int chain_end(struct tracee *tracee, const struct chains *chains,
			    struct chain *chain, struct deadline deadline, struct hp_err *err);

#endif
