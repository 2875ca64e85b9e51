/* SPDX-License-Identifier: MIT
 *
 * What "left as found" means, from /proc: threads with their states, tracers and signal masks,
 * handlers, descriptors and memory maps.
 *
 * The invariant: two snapshots of an undisturbed process that waits do not differ.
 */
#ifndef TESTS_INTEGRATION_SNAPSHOT_H
#define TESTS_INTEGRATION_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/integration/pytarget.h"

struct snapshot_thread {
	pid_t tid, tracer;
	char state;
	char masks[80]; /* SigBlk SigIgn SigCgt, as /proc writes them */
};

struct snapshot_map {
	uint64_t start, end;
	char perms[5];
	char path[200];
};

struct snapshot {
	struct snapshot_thread threads[256];
	size_t thread_count;
	struct snapshot_map maps[2048];
	size_t map_count;
	char fds[64][80]; /* "3 -> pipe:[1234]" */
	size_t fd_count;
	uint64_t rss_kib;
};

void snapshot_take(struct snapshot *out, pid_t pid);

/* What of `after` is not as in `before`, one sentence a line; an empty text when nothing.
 * Allowed: anonymous memory that cannot be executed and is no more than one thread stack, one
 * arena of glibc and what a few objects of Python need. */
void snapshot_compare(char *text, size_t size, const struct snapshot *before,
		      const struct snapshot *after);

/* End the test unless the target is as before: see snapshot_compare(). */
void expect_left_as_found(const struct pytarget *target, const struct snapshot *before);
/* The same, after a round that runs this version. */
void expect_version_as_found(struct pytarget *target, const struct snapshot *before,
			     int version);

#endif
