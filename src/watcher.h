/* SPDX-License-Identifier: MIT
 *
 * Folders of Python sources under inotify(7): has anything happened to a .py file in them?
 *
 * Folders rather than files are watched, since editors and deployments write a new file and
 * rename it over the old one, which a watch on the file itself would not survive. A symbolic
 * link on the way to a file is watched in the folder that holds it: releases are switched so.
 *
 * The invariant: what happened before watcher_take() returned is never reported again, and what
 * happened after it was called is never lost: when the kernel's queue overflows, that counts as
 * a change.
 */
#ifndef SRC_WATCHER_H
#define SRC_WATCHER_H

#include <stdbool.h>
#include <stddef.h>

#include "inject/base/err.h"

struct watched_link {
	int folder; /* the watch of the folder that holds it */
	char *name; /* owned */
};

struct watcher {
	int fd; /* readable when something happened; -1 in the zero value's place */
	size_t folders;
	struct watched_link *links; /* owned */
	size_t link_count;
};

enum watcher_event {
	WATCHER_NOTHING,
	WATCHER_SOURCES, /* something happened to a .py file, or to a folder of them */
	WATCHER_LINKS,   /* a link was switched: the files are elsewhere, to be added again */
};

HP_MUST_CHECK int watcher_init(struct watcher *out, struct hp_err *err);
void watcher_fini(struct watcher *watcher);

/* Watch the folder that holds `file`, below `root` ("" or "/proc/4711/root"), and the links on
 * the way to it, which are followed as a process with that root does; again is no harm. A
 * folder that is not there, or may not be read, is no error: it is left out. HP_SYSTEM when the
 * kernel allows no more watches. */
HP_MUST_CHECK int watcher_add(struct watcher *watcher, const char *root, const char *file,
			      struct hp_err *err);

/* Takes what happened, and tells the greatest of it. Does not wait. */
enum watcher_event watcher_take(struct watcher *watcher);

/* The pure part of it: whether an event of this mask on this name may change a module. */
bool watcher_is_change(unsigned mask, const char *name);

#endif
