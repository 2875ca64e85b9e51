/* SPDX-License-Identifier: MIT
 *
 * See watcher.h.
 */
#include "src/watcher.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

/* A file is complete when its writer closes it, or when it gets its name; a link when it is
 * created. Attributes, for a deployment that sets an older date; the folder itself, for one
 * that is replaced as a whole. */
#define EVENTS                                                                                 \
	(IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB |    \
	 IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

/* As the kernel has it (MAXSYMLINKS of linux/namei.h). */
#define LINKS_MAX 40

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
	for (size_t i = 0; i < watcher->link_count; i++)
		free(watcher->links[i].name);
	free(watcher->links);
	*watcher = (struct watcher){.fd = -1};
}

static bool is_link(const struct watcher *watcher, int folder, const char *name)
{
	for (size_t i = 0; i < watcher->link_count; i++)
		if (watcher->links[i].folder == folder && !strcmp(watcher->links[i].name, name))
			return true;
	return false;
}

static int remember_link(struct watcher *watcher, int folder, const char *name,
			 struct hp_err *err)
{
	struct watched_link *links;
	char *copy;

	if (is_link(watcher, folder, name))
		return 0;
	links = reallocarray(watcher->links, watcher->link_count + 1, sizeof(*links));
	if (links)
		watcher->links = links;
	copy = strdup(name);
	if (!links || !copy) {
		free(copy);
		return hp_err_set(err, HP_SYSTEM, ENOMEM, "watch %s", name);
	}
	links[watcher->link_count++] = (struct watched_link){.folder = folder, .name = copy};
	return 0;
}

/* The watch, the same one for the same folder; 0 for a folder that is left out; -1. */
static int add_folder(struct watcher *watcher, const char *folder, struct hp_err *err)
{
	int watch = inotify_add_watch(watcher->fd, folder, EVENTS);

	if (watch > 0) {
		if ((size_t)watch > watcher->folders)
			watcher->folders = (size_t)watch;
		return watch;
	}
	if (errno != ENOSPC && errno != ENOMEM)
		return 0;
	hp_err_set(err, HP_SYSTEM, errno, "watch %s", folder);
	return hp_err_hint(err, "raise fs.inotify.max_user_watches");
}

/* Where a path leads, one name after the other. */
struct way {
	const char *root;
	char at[PATH_MAX];   /* with the root; a folder that was reached without links */
	char rest[PATH_MAX]; /* the names that come then */
};

static bool is_complete(int length, size_t size)
{
	return length >= 0 && (size_t)length < size;
}

/* Go on at a link's target instead of the link. */
static bool follow(struct way *way, const char *target)
{
	char rest[PATH_MAX];
	int length = snprintf(rest, sizeof(rest), "%s/%s", target, way->rest);

	if (!is_complete(length, sizeof(rest)))
		return false;
	memcpy(way->rest, rest, (size_t)length + 1);
	if (target[0] == '/')
		snprintf(way->at, sizeof(way->at), "%s", way->root);
	return true;
}

static void leave_folder(struct way *way)
{
	char *slash = strrchr(way->at, '/');

	if (slash && strlen(way->at) > strlen(way->root))
		*slash = '\0';
}

/* The next name of the way, taken off its rest; "" at its end. */
static void take_name(char name[NAME_MAX + 1], struct way *way)
{
	const char *rest = way->rest + strspn(way->rest, "/");
	size_t length = strcspn(rest, "/");

	snprintf(name, NAME_MAX + 1, "%.*s", (int)length, rest);
	memmove(way->rest, rest + length, strlen(rest + length) + 1);
}

/* One step; 1 when it was a link, which is watched now, 0 when it was none, -1. */
static int step(struct watcher *watcher, struct way *way, const char *name, struct hp_err *err)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t length;
	int folder;

	if (!is_complete(snprintf(path, sizeof(path), "%s/%s", way->at, name), sizeof(path)))
		return 0;
	length = readlink(path, target, sizeof(target) - 1);
	if (length <= 0) {
		memcpy(way->at, path, strlen(path) + 1);
		return 0;
	}
	folder = add_folder(watcher, way->at[0] ? way->at : "/", err);
	if (folder < 0 || (folder > 0 && remember_link(watcher, folder, name, err) < 0))
		return -1;
	/* Switched before it was watched? */
	length = readlink(path, target, sizeof(target) - 1);
	target[length > 0 ? length : 0] = '\0';
	return follow(way, target);
}

int watcher_add(struct watcher *watcher, const char *root, const char *file, struct hp_err *err)
{
	struct way way = {.root = root};
	char name[NAME_MAX + 1];
	int links = 0;

	if (file[0] != '/' ||
	    !is_complete(snprintf(way.at, sizeof(way.at), "%s", root), sizeof(way.at)) ||
	    !is_complete(snprintf(way.rest, sizeof(way.rest), "%s", file), sizeof(way.rest)))
		return 0;
	for (take_name(name, &way); name[0]; take_name(name, &way)) {
		int r = 0;

		if (!strcmp(name, ".."))
			leave_folder(&way);
		else if (strcmp(name, ".") != 0)
			r = step(watcher, &way, name, err);
		if (r < 0)
			return -1;
		links += r;
		if (links > LINKS_MAX)
			return 0;
	}
	leave_folder(&way);
	return add_folder(watcher, way.at[0] ? way.at : "/", err) < 0 ? -1 : 0;
}

bool watcher_is_change(unsigned mask, const char *name)
{
	size_t length = strlen(name);

	if (mask & (IN_Q_OVERFLOW | IN_DELETE_SELF | IN_MOVE_SELF))
		return true;
	if (mask & IN_ISDIR) /* a folder of modules that was moved to its place */
		return (mask & (IN_MOVED_TO | IN_MOVED_FROM)) != 0;
	return !(mask & IN_CREATE) && length > 3 && !strcmp(name + length - 3, ".py");
}

static enum watcher_event event_of(const struct watcher *watcher,
				   const struct inotify_event *event)
{
	const char *name = event->len ? event->name : "";

	if (event->mask & IN_IGNORED) /* a watch that ended, not a file */
		return WATCHER_NOTHING;
	if (name[0] && is_link(watcher, event->wd, name))
		return WATCHER_LINKS;
	return watcher_is_change(event->mask, name) ? WATCHER_SOURCES : WATCHER_NOTHING;
}

enum watcher_event watcher_take(struct watcher *watcher)
{
	_Alignas(struct inotify_event) char buffer[16384];
	enum watcher_event greatest = WATCHER_NOTHING;
	ssize_t length;

	while ((length = read(watcher->fd, buffer, sizeof(buffer))) > 0) {
		for (char *at = buffer; at < buffer + length;) {
			const struct inotify_event *event = (const void *)at;
			enum watcher_event one = event_of(watcher, event);

			if (one > greatest)
				greatest = one;
			at += sizeof(*event) + event->len;
		}
	}
	return greatest;
}
