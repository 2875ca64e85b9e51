/* SPDX-License-Identifier: MIT
 *
 * The script that the target's own interpreter executes to let us in: its text, and the file
 * that holds it for some milliseconds.
 *
 * The file lies in the target's file system, as the target sees it, for only there can the
 * target open it. The target's user may read it; nobody but us and root may write to it, lest
 * somebody with that user's id and fewer rights than the process has, make it run his own. Its
 * folder lets nobody else put another in its place.
 */
#ifndef INJECT_SESSION_ENTRY_SCRIPT_H
#define INJECT_SESSION_ENTRY_SCRIPT_H

#include <stdint.h>

#include "inject/base/err.h"
#include "inject/session/handover.h"
#include "inject/target/target.h"

/* How long the script waits for us, on the target's main thread: were we killed, no longer. */
#define ENTRY_PATIENCE_NS 250000000

struct entry_script {
	char memory[48]; /* how it names the memfd that it makes: new with each script */
	char path[80];   /* as the target sees it */
	int folder;      /* owned; where it is, with -1 there is none */
	uint64_t device, inode;
};

/* Write it. entry_script_remove() is due on success. */
HP_MUST_CHECK int entry_script_write(struct entry_script *out, const struct target *target,
				     const struct handover *handover, int64_t deadline_ns,
				     struct hp_err *err);
/* Accepts one that was removed before. */
void entry_script_remove(struct entry_script *script);

#endif
