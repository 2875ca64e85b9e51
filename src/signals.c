/* SPDX-License-Identifier: MIT
 *
 * Signals as a flag. The invariant: after signals_catch() no signal that can be caught ends or
 * stops this process while a thread of a target is in its hands.
 */
#include "src/signals.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t caught;

static void note(int number)
{
	caught = number;
}

void signals_catch(void)
{
	static const int asked[] = {SIGINT, SIGTERM, SIGHUP};
	/* TSTP, TTIN and TTOU would stop us, and with us perhaps a thread of the target, for as
	 * long as the user likes; a line to a closed pipe is only a line lost. */
	static const int ignored[] = {SIGPIPE, SIGTSTP, SIGTTIN, SIGTTOU, SIGQUIT};
	struct sigaction action = {.sa_handler = note}; /* no SA_RESTART: waits must wake up */

	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
		sigaction(asked[i], &action, NULL);
	action.sa_handler = SIG_IGN;
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		sigaction(ignored[i], &action, NULL);
}

const volatile int *signals_flag(void)
{
	return &caught;
}
