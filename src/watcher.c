/* SPDX-License-Identifier: MIT
 *
 * See watcher.h.
 */
#include "src/watcher.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

/* A file is complete when its writer closes it, or when it gets its name. Attributes, for a
 * deployment that sets an older date; the folder itself, for one that is replaced as a whole.
 */
#define EVENTS                                                                                 \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB |                \
	 IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

int watcher_init(struct watcher *out, struct hp_err *err)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (fd < 0)
		return hp_err_set(err, HP_SYSTEM, errno, "watch files");
	*out = (struct watcher){.fd = fd};
	return 0;
}

void watcher_fini(struct watcher *watcher)
{
	if (watcher->fd >= 0)
		close(watcher->fd);
	*watcher = (struct watcher){.fd = -1};
}

int watcher_add(struct watcher *watcher, const char *root, const char *file, struct hp_err *err)
{
	const char *slash = strrchr(file, '/');
	char folder[4096];
	int length;

	if (file[0] != '/' || !slash)
		return 0;
	length = snprintf(folder, sizeof(folder), "%s%.*s/", root, (int)(slash - file), file);
	if (length < 0 || (size_t)length >= sizeof(folder))
		return 0;
	/* The same folder gives the same watch. */
	int watch = inotify_add_watch(watcher->fd, folder, EVENTS);
	if (watch >= 0) {
		if ((size_t)watch > watcher->folders)
			watcher->folders = (size_t)watch;
		return 0;
	}
	if (errno != ENOSPC && errno != ENOMEM)
		return 0;
	hp_err_set(err, HP_SYSTEM, errno, "watch %s", folder);
	return hp_err_hint(err, "raise fs.inotify.max_user_watches");
}

bool watcher_is_change(unsigned mask, const char *name)
{
	size_t length = strlen(name);

	if (mask & (IN_Q_OVERFLOW | IN_DELETE_SELF | IN_MOVE_SELF))
		return true;
	if (mask & IN_ISDIR) /* a folder of modules that was moved to its place */
		return (mask & (IN_MOVED_TO | IN_MOVED_FROM)) != 0;
	return length > 3 && !strcmp(name + length - 3, ".py");
}

bool watcher_take(struct watcher *watcher)
{
	_Alignas(struct inotify_event) char buffer[16384];
	bool found = false;
	ssize_t length;

	while ((length = read(watcher->fd, buffer, sizeof(buffer))) > 0) {
		for (char *at = buffer; at < buffer + length;) {
			const struct inotify_event *event = (const void *)at;

			/* IN_IGNORED tells of a watch that ended, not of a file. */
			if (!(event->mask & IN_IGNORED) &&
			    watcher_is_change(event->mask, event->len ? event->name : ""))
				found = true;
			at += sizeof(*event) + event->len;
		}
	}
	return found;
}
