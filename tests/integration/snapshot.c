/* SPDX-License-Identifier: MIT */
#include "tests/integration/snapshot.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inject/base/cleanup.h"

/* One cached stack (8 MiB and its guard), one arena (64 MiB, most of it only reserved), and the
 * arenas of Python's own allocator. A second stack or arena goes beyond. */
#define ALLOWED_GROWTH ((8 + 64 + 7) * (UINT64_C(1) << 20))

static void add(char *text, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void add(char *text, size_t size, const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + used, size - used, format, args);
	va_end(args);
}

/* glibc's own two signals: the first thread that a process starts, whoever starts it, installs
 * the handler of 33, which setuid() needs (late_init in nptl/pthread_create.c, 2.34). */
#define LIBC_SIGNALS ((UINT64_C(1) << 31) | (UINT64_C(1) << 32))

static void take_thread(struct snapshot_thread *out, pid_t pid, pid_t tid)
{
	char path[64], line[256];
	size_t used = 0;

	memset(out, 0, sizeof(*out));
	out->tid = tid;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
	_cleanup_file_ FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		sscanf(line, "State: %c", &out->state);
		sscanf(line, "TracerPid: %d", &out->tracer);
		if (strncmp(line, "SigBlk", 6) != 0 && strncmp(line, "SigIgn", 6) != 0 &&
		    strncmp(line, "SigCgt", 6) != 0)
			continue;
		uint64_t mask = strtoull(line + 8, NULL, 16);
		if (strncmp(line, "SigCgt", 6) == 0)
			mask &= ~LIBC_SIGNALS;
		used += (size_t)snprintf(out->masks + used, sizeof(out->masks) - used,
					 "%.3s=%016llx ", line + 3, (unsigned long long)mask);
	}
}

static int by_tid(const void *a, const void *b)
{
	const struct snapshot_thread *x = a, *y = b;

	return x->tid - y->tid;
}

static void take_threads(struct snapshot *out, pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *dir = opendir(path);
	for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir))
		if (entry->d_name[0] != '.' && out->thread_count < 256)
			take_thread(&out->threads[out->thread_count++], pid,
				    atoi(entry->d_name));
	if (dir)
		closedir(dir);
	qsort(out->threads, out->thread_count, sizeof(*out->threads), by_tid);
}

static void take_maps(struct snapshot *out, pid_t pid)
{
	char path[64], line[1024];

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	_cleanup_file_ FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file) && out->map_count < 2048) {
		struct snapshot_map *map = &out->maps[out->map_count];
		unsigned long long start, end;

		map->path[0] = '\0';
		if (sscanf(line, "%llx-%llx %4s %*s %*s %*s %199[^\n]", &start, &end,
			   map->perms, map->path) < 3)
			continue;
		map->start = start;
		map->end = end;
		out->map_count++;
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void take_fds(struct snapshot *out, pid_t pid)
{
	char path[64], link[64];

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	DIR *dir = opendir(path);
	for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
		ssize_t len = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);

		if (len < 0 || out->fd_count == 64)
			continue;
		link[len] = '\0';
		snprintf(out->fds[out->fd_count++], sizeof(*out->fds), "%.10s -> %s",
			 entry->d_name, link);
	}
	if (dir)
		closedir(dir);
	qsort(out->fds, out->fd_count, sizeof(*out->fds), by_text);
}

/* Its own memory. Pages of files, which it touches at its leisure, are the kernel's cache. */
static uint64_t resident_kib(pid_t pid)
{
	char path[64], line[256];
	unsigned long long kib = 0, part;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	_cleanup_file_ FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "RssAnon: %llu", &part) == 1 ||
		    sscanf(line, "RssShmem: %llu", &part) == 1)
			kib += part;
	return kib;
}

void snapshot_take(struct snapshot *out, pid_t pid)
{
	memset(out, 0, sizeof(*out));
	take_threads(out, pid);
	take_maps(out, pid);
	take_fds(out, pid);
	out->rss_kib = resident_kib(pid);
}

static void compare_threads(char *text, size_t size, const struct snapshot *before,
			    const struct snapshot *after)
{
	if (before->thread_count != after->thread_count)
		add(text, size, "%zu threads instead of %zu\n", after->thread_count,
		    before->thread_count);
	for (size_t i = 0; i < after->thread_count; i++) {
		const struct snapshot_thread *b = &before->threads[i], *a = &after->threads[i];

		if (a->tracer != 0)
			add(text, size, "thread %d is traced by %d\n", a->tid, a->tracer);
		if (a->state == 't' || a->state == 'T' || a->state == 'Z')
			add(text, size, "thread %d is in state %c\n", a->tid, a->state);
		if (i >= before->thread_count || a->tid != b->tid)
			add(text, size, "thread %d is new or others are gone\n", a->tid);
		else if (strcmp(a->masks, b->masks) != 0)
			add(text, size, "thread %d: %sinstead of %s\n", a->tid, a->masks,
			    b->masks);
	}
}

static void compare_fds(char *text, size_t size, const struct snapshot *before,
			const struct snapshot *after)
{
	for (size_t i = 0; i < after->fd_count; i++)
		if (!bsearch(after->fds[i], before->fds, before->fd_count, sizeof(*before->fds),
			     by_text))
			add(text, size, "descriptor %s is new\n", after->fds[i]);
	for (size_t i = 0; i < before->fd_count; i++)
		if (!bsearch(before->fds[i], after->fds, after->fd_count, sizeof(*after->fds),
			     by_text))
			add(text, size, "descriptor %s is gone\n", before->fds[i]);
}

/* How much of `map` is not covered by maps of the other snapshot that are of the same kind. */
static uint64_t uncovered(const struct snapshot_map *map, const struct snapshot *other)
{
	uint64_t left = map->end - map->start;

	for (size_t i = 0; i < other->map_count; i++) {
		const struct snapshot_map *o = &other->maps[i];
		uint64_t start = o->start > map->start ? o->start : map->start;
		uint64_t end = o->end < map->end ? o->end : map->end;

		if (start < end && strcmp(o->path, map->path) == 0 &&
		    strcmp(o->perms, map->perms) == 0)
			left -= end - start;
	}
	return left;
}

/* Memory that grows and shrinks by itself: no file and not executable. */
static bool is_plain_memory(const struct snapshot_map *map)
{
	return map->perms[2] != 'x' &&
	       (map->path[0] == '\0' || strcmp(map->path, "[heap]") == 0 ||
		strcmp(map->path, "[stack]") == 0);
}

static void compare_maps(char *text, size_t size, const struct snapshot *before,
			 const struct snapshot *after)
{
	uint64_t grown = 0;

	for (size_t i = 0; i < after->map_count; i++) {
		const struct snapshot_map *map = &after->maps[i];
		uint64_t fresh = uncovered(map, before);

		if (fresh && is_plain_memory(map))
			grown += fresh;
		else if (fresh)
			add(text, size, "mapping %llx-%llx %s %s is new\n",
			    (unsigned long long)map->start, (unsigned long long)map->end,
			    map->perms, map->path);
	}
	for (size_t i = 0; i < before->map_count; i++) {
		const struct snapshot_map *map = &before->maps[i];

		if (!is_plain_memory(map) && uncovered(map, after))
			add(text, size, "mapping %llx-%llx %s %s is gone\n",
			    (unsigned long long)map->start, (unsigned long long)map->end,
			    map->perms, map->path);
	}
	if (grown > ALLOWED_GROWTH)
		add(text, size, "%llu KiB of anonymous memory are new\n",
		    (unsigned long long)grown >> 10);
}

void snapshot_compare(char *text, size_t size, const struct snapshot *before,
		      const struct snapshot *after)
{
	text[0] = '\0';
	compare_threads(text, size, before, after);
	compare_fds(text, size, before, after);
	compare_maps(text, size, before, after);
}

void expect_left_as_found(const struct pytarget *target, const struct snapshot *before)
{
	static struct snapshot now;
	char text[8192];

	snapshot_take(&now, target->pid);
	snapshot_compare(text, sizeof(text), before, &now);
	if (text[0] != '\0')
		pytarget_fail(target, "not left as found:\n%s", text);
}

void expect_version_as_found(struct pytarget *target, const struct snapshot *before,
			     int version)
{
	struct round round;

	pytarget_fresh(target, &round);
	expect_version(target, &round, version);
	expect_left_as_found(target, before);
}
