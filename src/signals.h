/* SPDX-License-Identifier: MIT
 *
 * While a target is held, nothing may end or stop this process at a place of its own choosing:
 * the signals that people send become a flag that every wait looks at.
 */
#ifndef SRC_SIGNALS_H
#define SRC_SIGNALS_H

/* From now on INT, TERM and HUP set the flag; a closed pipe and job control do not stop us. */
void signals_catch(void);

/* For session_options.interrupted. Nonzero: the number of the signal. */
const volatile int *signals_flag(void);

#endif
