/* SPDX-License-Identifier: MIT
 *
 * The target's memory, read in pages and spans by process_vm_readv and kept for as long as it
 * cannot change: for ever what the target may not write, until snapshot_renew() the rest.
 */
#ifndef INJECT_UNWIND_SNAPSHOT_H
#define INJECT_UNWIND_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inject/base/addr.h"
#include "inject/base/err.h"
#include "inject/base/span.h"
#include "inject/target/target.h"

#define SNAPSHOT_PAGE     4096u
#define SNAPSHOT_PAGES    256u /* direct-mapped: a collision costs another read, nothing else */
#define SNAPSHOT_SPANS    8u
#define SNAPSHOT_SPAN_MAX (8u << 20)

struct snapshot_page {
	uint64_t start;
	unsigned generation; /* 0: empty */
	bool constant;
};

struct snapshot_span {
	uint64_t start;
	size_t len;
	uint8_t *data; /* owned */
};

struct snapshot {
	const struct target *target; /* borrowed */
	unsigned generation;
	struct snapshot_page pages[SNAPSHOT_PAGES];
	uint8_t *data; /* owned; SNAPSHOT_PAGES pages */
	struct snapshot_span spans[SNAPSHOT_SPANS];
	size_t span_count;
	uint64_t lent_at; /* what somebody has read himself; it goes before all others */
	struct span lent; /* borrowed */
	bool strayed;     /* something was read that may change, and was not lent */
};

HP_MUST_CHECK int snapshot_init(struct snapshot *out, const struct target *target,
				struct hp_err *err);
void snapshot_fini(struct snapshot *snapshot);

/* Forget what the target may have changed since, and take the bytes at `at` as lent until the
 * next time. */
void snapshot_renew(struct snapshot *snapshot, uint64_t at, struct span bytes);

/* Read [start, end) in one go, for good. Only for what the target does not write. Best effort:
 * what is not prepared is read page by page later. */
void snapshot_prepare(struct snapshot *snapshot, remote_addr start, remote_addr end);

/* Copy len bytes at addr. Returns 0, or -1 when any of them cannot be read; the shape of
 * elf_memory_read, with the snapshot as its context. */
int snapshot_read(void *snapshot, uint64_t addr, void *out, size_t len);

#endif
