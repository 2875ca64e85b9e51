/* SPDX-License-Identifier: MIT
 *
 * See leftovers.h.
 */
#include "inject/session/leftovers.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "inject/base/cleanup.h"
#include "inject/proc/procfs.h"

#define PAGE      4096
#define NAME      "/memfd:" ARCH_FRAME_NOTE
#define LOOKS_MAX 1024 /* descriptors: some two milliseconds */

/* ---- what they are ---- */

/* Whether the channel in the file says that somebody was sent: it begins a page, behind an
 * image whose size only its own program knew. One of another version says nothing to us. */
static bool was_entered(int fd, off_t size, struct wire_channel *channel)
{
	for (off_t at = 0; at < size; at += PAGE) {
		if (pread(fd, channel, sizeof(*channel), at) != sizeof(*channel))
			return true;
		if (channel->magic == WIRE_MAGIC)
			return channel->version != WIRE_VERSION ||
			       channel->guest != WIRE_GUEST_NONE;
	}
	*channel = (struct wire_channel){0};
	return false;
}

/* Through a file description of our own, which sees all locks. */
static bool is_abandoned(int fd, struct stat *st, struct wire_channel *channel)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return fstat(fd, st) == 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 &&
	       lock.l_type == F_UNLCK && !was_entered(fd, st->st_size, channel);
}

/* 0 when the target's descriptor is none of ours, or not abandoned. *channel is what is in it.
 */
static uint64_t abandoned_inode(const struct target *target, const char *name,
				struct wire_channel *channel)
{
	char path[64], link[64] = "";
	struct stat st;

	snprintf(path, sizeof(path), "fd/%.20s", name);
	if (readlinkat(target->procfd, path, link, sizeof(link) - 1) < 0 ||
	    strcmp(link, NAME " (deleted)") != 0)
		return 0;
	_cleanup_fd_ int fd = openat(target->procfd, path, O_RDWR | O_CLOEXEC | O_NOCTTY);
	return fd >= 0 && is_abandoned(fd, &st, channel) ? st.st_ino : 0;
}

/* ---- where they are ---- */

/* False when it is mapped in pieces, which another way in makes: that stays. */
static bool find_mapping(struct leftover *out, const struct target *target)
{
	for (size_t i = 0; i < target->maps.count; i++) {
		const struct map *map = &target->maps.items[i];

		if (map->inode != out->inode || strcmp(map->path, NAME) != 0)
			continue;
		if (!addr_is_null(out->start) || map->file_offset != 0)
			return false;
		out->start = map->start;
		out->end = map->end;
	}
	return true;
}

/* A place that was reserved for it, and nothing was put there: it is still what it was to the
 * byte. */
static void find_reserved(struct leftover *out, const struct target *target,
			  const struct wire_channel *channel)
{
	const struct map *map = maps_find(&target->maps, addr_of(channel->image_base));

	if (!addr_is_null(out->start) || !channel->image_size || !map ||
	    map->start.v != channel->image_base ||
	    map->end.v - map->start.v != channel->image_size || map->inode || map->path[0] ||
	    (map->prot & (MAP_READ | MAP_WRITE | MAP_EXEC)))
		return;
	out->start = map->start;
	out->end = map->end;
}

void leftovers_find(struct leftovers *out, const struct target *target)
{
	_cleanup_fd_ int folder =
		openat(target->procfd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *entry;
	DIR *dir;

	*out = (struct leftovers){0};
	dir = folder >= 0 ? fdopendir(folder) : NULL;
	if (!dir)
		return;
	folder = -1; /* dir's now */
	for (int n = 0; n < LOOKS_MAX && out->count < WIRE_LEFTOVERS && (entry = readdir(dir));
	     n++) {
		struct leftover found = {.fd = atoi(entry->d_name)};
		struct wire_channel channel;

		found.inode = abandoned_inode(target, entry->d_name, &channel);
		if (!found.inode || !find_mapping(&found, target))
			continue;
		find_reserved(&found, target, &channel);
		out->items[out->count++] = found;
	}
	closedir(dir);
}

/* ---- away ---- */

/* Whether a program of ours may be at work that has not locked its memfd yet. */
static bool has_other_tracer(const struct step *step)
{
	_cleanup_free_ pid_t *tids = NULL;
	struct hp_err ignored;
	size_t count;

	if (proc_threads(&tids, &count, step->target->procfd, &ignored) < 0)
		return true;
	for (size_t i = 0; i < count; i++) {
		struct proc_status status;
		char name[48];

		snprintf(name, sizeof(name), "task/%d/status", tids[i]);
		if (tids[i] != step->tracee->tid &&
		    (proc_status_read(&status, step->target->procfd, name, &ignored) < 0 ||
		     status.tracer || status.state == 't'))
			return true;
	}
	return false;
}

/* Nobody else has closed it, and its number is not another file's by now. */
static bool is_still_there(const struct leftover *leftover, const struct target *target)
{
	struct wire_channel channel;
	char name[16];

	snprintf(name, sizeof(name), "%d", leftover->fd);
	return abandoned_inode(target, name, &channel) == leftover->inode;
}

static bool unmap(struct leftover *leftover, const struct step *step)
{
	const uint64_t args[6] = {leftover->start.v, leftover->end.v - leftover->start.v};
	struct hp_err ignored;
	int64_t result;

	if (!addr_is_null(leftover->start) &&
	    step_syscall(step, &result, "munmap", SYS_munmap, args, &ignored) < 0)
		return false;
	leftover->start = leftover->end = addr_of(0);
	return true;
}

void leftovers_unmap(struct leftovers *leftovers, const struct step *step)
{
	const struct leftovers found = *leftovers;

	leftovers->count = 0;
	if (!found.count || has_other_tracer(step))
		return;
	for (size_t i = 0; i < found.count; i++) {
		struct leftover leftover = found.items[i];

		if (is_still_there(&leftover, step->target) && unmap(&leftover, step))
			leftovers->items[leftovers->count++] = leftover;
	}
}
