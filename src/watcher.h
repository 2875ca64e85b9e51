/* SPDX-License-Identifier: MIT
 *
 * Folders of Python sources under inotify(7): has anything happened to a .py file in them?
 *
 * Folders rather than files are watched, since editors and deployments write a new file and
 * rename it over the old one, which a watch on the file itself would not survive.
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

struct watcher {
	int fd; /* readable when something happened; -1 in the zero value's place */
	size_t folders;
};

HP_MUST_CHECK int watcher_init(struct watcher *out, struct hp_err *err);
void watcher_fini(struct watcher *watcher);

/* Watch the folder that holds `file`, below `root` ("" or "/proc/4711/root"); again is no
 * harm. A folder that is not there, or may not be read, is no error: it is left out. HP_SYSTEM
 * when the kernel allows no more watches. */
HP_MUST_CHECK int watcher_add(struct watcher *watcher, const char *root, const char *file,
			      struct hp_err *err);

/* Takes what happened; true when a .py file was among it. Does not wait. */
bool watcher_take(struct watcher *watcher);

/* The pure part of it: whether an event of this mask on this name may change a module. */
bool watcher_is_change(unsigned mask, const char *name);

#endif
