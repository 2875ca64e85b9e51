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
	bool worker_left;   /* the worker's thread was seen to end; false: it lingers */
};

/* Run `request` (bytes of a wire_request with its strings) in the target. */
HP_MUST_CHECK int session_run(struct session_result *out, const struct target *target,
			      struct span request, const struct session_options *options,
			      struct hp_err *err);
/* What an attach would find of seccomp filters, for doctor: one thread is stopped for a moment,
 * since the kernel shows them in no other way. Nothing is changed. */
HP_MUST_CHECK int session_check_filters(const struct target *target, struct hp_err *err);
void session_result_fini(struct session_result *result);

#endif
