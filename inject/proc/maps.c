/* SPDX-License-Identifier: MIT
 *
 * Parsing /proc/PID/maps. The invariant: what maps_parse() accepts is sorted, does not overlap,
 * and every path ends inside maps.text.
 */
#include "inject/proc/maps.h"

#include <stdlib.h>
#include <string.h>

#include "inject/base/cleanup.h"
#include "inject/proc/procfs.h"
#include "inject/proc/scan.h"

#define READ_TRIES 5

static bool parse_prot(struct scan *line, uint32_t *prot)
{
	static const struct {
		char letter;
		uint32_t bit;
	} columns[] = {
		{'r', MAP_READ}, {'w', MAP_WRITE}, {'x', MAP_EXEC}, {'s', MAP_IS_SHARED}};

	*prot = 0;
	for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++) {
		if (scan_char(line, columns[i].letter))
			*prot |= columns[i].bit;
		else if (!scan_char(line, i == 3 ? 'p' : '-'))
			return false;
	}
	return true;
}

static bool parse_numbers(struct scan *line, struct map *map)
{
	uint64_t start, end, offset, dev_major, dev_minor, inode;

	if (!scan_number(line, 16, &start) || !scan_char(line, '-') ||
	    !scan_number(line, 16, &end) || !scan_char(line, ' ') ||
	    !parse_prot(line, &map->prot) || !scan_char(line, ' ') ||
	    !scan_number(line, 16, &offset) || !scan_char(line, ' ') ||
	    !scan_number(line, 16, &dev_major) || !scan_char(line, ':') ||
	    !scan_number(line, 16, &dev_minor) || !scan_char(line, ' ') ||
	    !scan_number(line, 10, &inode))
		return false;
	if (start >= end || dev_major > UINT32_MAX || dev_minor > UINT32_MAX)
		return false;
	map->start = addr_of(start);
	map->end = addr_of(end);
	map->file_offset = offset;
	map->dev_major = (uint32_t)dev_major;
	map->dev_minor = (uint32_t)dev_minor;
	map->inode = inode;
	return true;
}

/* The path ends the line. The kernel writes a newline in it as \012, so a line is a mapping. */
static void parse_path(struct scan *line, struct map *map, char *text)
{
	static const char suffix[] = " (deleted)";
	const size_t suffix_len = sizeof(suffix) - 1;
	char *path, *end = text + (line->end - text);

	scan_blanks(line);
	path = text + (line->at - text);
	*end = '\0'; /* the newline, or the byte that maps_parse() added */
	map->path = path;
	map->deleted = false;
	if ((size_t)(end - path) > suffix_len && !strcmp(end - suffix_len, suffix)) {
		end[-(ptrdiff_t)suffix_len] = '\0';
		map->deleted = true;
	}
}

static size_t count_lines(const char *text, size_t len)
{
	const char *const end = text + len;
	size_t lines = 1;

	while ((text = memchr(text, '\n', (size_t)(end - text)))) {
		text++;
		lines++;
	}
	return lines;
}

int maps_parse(struct maps *out, const char *text, size_t len, struct hp_err *err)
{
	_cleanup_free_ char *copy = malloc(len + 1);
	_cleanup_free_ struct map *items =
		reallocarray(NULL, count_lines(text, len), sizeof(*items));
	size_t count = 0;

	if (!copy || !items)
		return hp_err_set(err, HP_SYSTEM, 0, "no memory for the list of mappings");
	if (memchr(text, 0, len))
		return hp_err_set(err, HP_SYSTEM, 0, "the list of mappings holds a NUL byte");
	memcpy(copy, text, len);
	copy[len] = '\0';

	struct scan rest = scan_of(copy, len), line;
	while (scan_line(&rest, &line)) {
		struct map *map = &items[count];

		if (!parse_numbers(&line, map) || (line.at < line.end && *line.at != ' '))
			return hp_err_set(err, HP_SYSTEM, 0, "mapping %zu cannot be read",
					  count + 1);
		if (count && map->start.v < map[-1].end.v)
			return hp_err_set(err, HP_SYSTEM, 0,
					  "mapping %zu overlaps the one before", count + 1);
		parse_path(&line, map, copy);
		count++;
	}
	out->items = take_ptr(&items);
	out->count = count;
	out->text = take_ptr(&copy);
	return 0;
}

static int read_once(struct maps *out, int procfd, struct hp_err *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (procfs_read(&text, &len, procfd, "maps", err) < 0)
		return -1;
	return maps_parse(out, text, len, err);
}

/* The file is no snapshot: a process that maps all the time may change between two reads of it,
 * and then mappings can overlap (seen on Linux 6.18). */
int maps_read(struct maps *out, int procfd, struct hp_err *err)
{
	int r = -1;

	for (int tries = 0; r < 0 && tries < READ_TRIES; tries++)
		r = read_once(out, procfd, err);
	return r;
}

void maps_fini(struct maps *maps)
{
	free(maps->items);
	free(maps->text);
	*maps = (struct maps){0};
}

const struct map *maps_find(const struct maps *maps, remote_addr addr)
{
	size_t low = 0, high = maps->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct map *map = &maps->items[middle];

		if (addr_in(addr, map->start, map->end))
			return map;
		if (addr.v < map->start.v)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}
