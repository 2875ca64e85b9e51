/* SPDX-License-Identifier: MIT
 *
 * The seccomp filters of a held thread, judged before the first call on it.
 */
#ifndef INJECT_SESSION_FILTERS_H
#define INJECT_SESSION_FILTERS_H

#include "inject/base/err.h"
#include "inject/trace/tracee.h"

enum filters { FILTERS_NONE = 0, FILTERS_PASS = 1 };

/* Whether there are any, and every call of an attach passes the filters of this stopped thread,
 * which the worker inherits. *libc is learnt when it is not known yet; better before the stop.
 */
HP_MUST_CHECK int filters_check(struct tracee *tracee, struct seccomp_libc *libc,
				struct hp_err *err);

#endif
