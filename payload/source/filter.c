/* SPDX-License-Identifier: MIT
 *
 * A path that was asked for may be called otherwise by the program (a symbolic link, a bind
 * mount, another working directory): folders are compared by device and inode, by their names
 * only when there is nothing at that path.
 */
#include "payload/source/filter.h"

#include "payload/base/freestanding.h"
#include "payload/base/py.h"
#include "payload/base/sys.h"

#define PATH_SIZE 4096 /* PATH_MAX of include/uapi/linux/limits.h */

struct place {
	uint64_t device, inode;
	int is_there;
};

static struct place place_of(const char *path)
{
	struct stat st;

	if (sys_stat(path, &st) < 0)
		return (struct place){0};
	return (struct place){st.st_dev, st.st_ino, 1};
}

/* The string after `at`; the last one ends the request. */
static const char *next(const char *at)
{
	return at + strlen(at) + 1;
}

int filter_init(struct filter *out, const struct wire_request *request)
{
	struct filter filter = {
		.modules = (const char *)(request + 1),
		.paths = (const char *)(request + 1),
		.module_count = request->module_count,
		.path_count = request->path_count,
	};
	const char *at;

	for (uint32_t i = 0; i < filter.module_count; i++)
		filter.paths = next(filter.paths);
	*out = filter;
	if (!filter.path_count)
		return 0;
	out->places = py_room(filter.path_count * sizeof(*out->places));
	if (!out->places)
		return -1;
	at = filter.paths;
	for (uint32_t i = 0; i < filter.path_count; i++, at = next(at))
		out->places[i] = place_of(at);
	return 0;
}

void filter_fini(struct filter *filter)
{
	PyMem_Free(filter->places);
	*filter = (struct filter){0};
}

int filter_names(const struct filter *filter, const char *name)
{
	const char *at = filter->modules;

	for (uint32_t i = 0; i < filter->module_count; i++, at = next(at))
		if (text_equal(at, name))
			return 1;
	return 0;
}

/* "/a/b" is at or below "/a" and "/a/", not below "/a/bc". */
static int is_below_by_name(const char *path, const char *prefix)
{
	size_t length = strlen(prefix);

	while (length && prefix[length - 1] == '/')
		length--;
	return strlen(path) >= length && !memcmp(path, prefix, length) &&
	       (!path[length] || path[length] == '/');
}

static int is_place_wanted(const struct filter *filter, const char *path)
{
	const struct place place = place_of(path);

	for (uint32_t i = 0; place.is_there && i < filter->path_count; i++)
		if (filter->places[i].is_there && filter->places[i].device == place.device &&
		    filter->places[i].inode == place.inode)
			return 1;
	return 0;
}

/* "/a/b" becomes "/a", "/a" becomes "/", "a" becomes "."; 0 when there is no more. */
static int cut_last(char *path)
{
	size_t length = strlen(path);

	if (text_equal(path, "/") || text_equal(path, "."))
		return 0;
	while (length && path[length - 1] != '/')
		length--;
	if (!length)
		path[length++] = '.';
	else if (length > 1)
		length--;
	path[length] = '\0';
	return 1;
}

static int is_below_wanted(const struct filter *filter, const char *path)
{
	const char *at = filter->paths;
	char folder[PATH_SIZE];

	for (uint32_t i = 0; i < filter->path_count; i++, at = next(at))
		if (!filter->places[i].is_there && is_below_by_name(path, at))
			return 1;
	if (!*path || strlen(path) >= sizeof(folder))
		return 0;
	memcpy(folder, path, strlen(path) + 1);
	do {
		if (is_place_wanted(filter, folder))
			return 1;
	} while (cut_last(folder));
	return 0;
}

int filter_wants(const struct filter *filter, const char *name, const char *path)
{
	if (!filter->module_count && !filter->path_count)
		return 1;
	return filter_names(filter, name) ||
	       (filter->path_count && path && is_below_wanted(filter, path));
}
