/* SPDX-License-Identifier: MIT
 *
 * The second way in, for a process that cannot be entered by ptrace: the interpreter's own
 * remote execution (PEP 768, CPython 3.14 and later). Its main thread runs a script of ours as
 * soon as it executes Python, and that starts the same worker on the same channel.
 *
 * The invariant: nothing is written to but the main thread's request for a script, in memory
 * that is there as long as the interpreter; and what was not taken is withdrawn. A script that
 * runs later changes nothing: it finds nobody, and the worker would not begin
 * (payload/entry/serve.c).
 */
#ifndef INJECT_SESSION_SCRIPT_ENTRY_H
#define INJECT_SESSION_SCRIPT_ENTRY_H

#include "inject/base/err.h"
#include "inject/base/span.h"
#include "inject/session/handover.h"
#include "inject/session/session.h"
#include "inject/target/target.h"

/* Start the worker, where remote_exec_is_open(); handover->image is set. On success it is as
 * after handover_run() with the thread gone on its way; on failure there is nothing left to be
 * undone. */
HP_MUST_CHECK int script_entry_run(struct handover *handover, const struct target *target,
				   struct span request, const struct session_options *options,
				   struct hp_err *err);

#endif
