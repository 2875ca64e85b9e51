/* SPDX-License-Identifier: MIT
 *
 * One attach: a thread is stopped at a safe point, the payload is mapped and started, and the
 * thread is let go; then the reply is awaited, and the worker's end.
 *
 * The invariant: whatever fails, the target is left as found, and what could not be put back is
 * in err.undo_text. After session_run() has returned without an error the worker is gone.
 */
#ifndef INJECT_SESSION_SESSION_H
#define INJECT_SESSION_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "inject/base/deadline.h"
#include "inject/base/err.h"
#include "inject/base/span.h"
#include "inject/target/target.h"

struct session_options {
	const char *payload_path;
	struct deadline deadline;
	const volatile int
		*interrupted; /* nonzero: cancel and return HP_INTERRUPTED; may be NULL */
	/* Called about ten times a second while waiting; what is an enum wire_phase. May be
	 * NULL. */
	void (*progress)(void *context, unsigned phase, int64_t waited_ns);
	void *progress_context;
};

struct session_result {
	uint8_t *reply; /* owned; what the payload wrote, untrusted; decode with report_decode()
			 */
	size_t reply_len;
	int64_t held_ns;    /* how long the one thread was held by ptrace, in total */
	int64_t elapsed_ns; /* from the call to the worker's end */
	unsigned stops;     /* threads stopped, unsafe ones included */
	unsigned unsafe;    /* stops that were no safe point */
	/* Why the interpreter itself let us in (script_entry.h); "" when it was by ptrace. */
	char detour[160];
	bool worker_left; /* the worker's thread was seen to end; false: it lingers */
};

/* Run `request` (bytes of a wire_request with its strings) in the target, to its end. */
HP_MUST_CHECK int session_run(struct session_result *out, const struct target *target,
			      struct span request, const struct session_options *options,
			      struct hp_err *err);

/* The same in steps, for several targets side by side: nothing of any target is held between
 * two calls. `target` and `options` are borrowed until session_close(), which is due after
 * session_open() has returned 0. */
struct session;
HP_MUST_CHECK int session_open(struct session **out, const struct target *target,
			       struct span request, const struct session_options *options,
			       struct hp_err *err);

enum session_stage {
	SESSION_ANSWERED = 0, /* the payload is done: session_close() */
	SESSION_BUSY,         /* at `until` it still was at work */
	SESSION_PREPARED,     /* these two with WIRE_TOGETHER: nothing is changed; session_go()
				 or session_cancel() */
	SESSION_APPLIED,      /* changed, and can be as before: session_keep() or _revoke() */
};
/* Wait until the payload waits for us or is done: an enum session_stage, or -1 as await_reply()
 * has it. */
HP_MUST_CHECK int session_await(struct session *session, struct deadline until,
				struct hp_err *err);

/* Whether the payload is at work: it has the GIL, and no other attach is before it. */
bool session_has_turn(const struct session *session);

void session_go(struct session *session);
void session_keep(struct session *session);
void session_revoke(struct session *session);
/* False when it is too late: the changes are made or being made, and will be answered for. */
bool session_cancel(struct session *session);

/* After session_cancel(): until the worker has left, mostly at once; not for long. */
void session_await_end(struct session *session);

/* Frees the session in any case. Fills *out when the payload has answered; -1 when it has not,
 * with *err filled unless `out` is NULL. */
int session_close(struct session_result *out, struct session *session, struct hp_err *err);

/* What an attach would find of seccomp filters, for doctor: one thread is stopped for a moment,
 * since the kernel shows them in no other way. Nothing is changed. */
HP_MUST_CHECK int session_check_filters(const struct target *target, struct hp_err *err);
void session_result_fini(struct session_result *result);

#endif
