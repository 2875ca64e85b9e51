/* SPDX-License-Identifier: MIT
 *
 * Both leave their time behind: a new link is a new inode, and a rename sets the time of change
 * of what is renamed (ext4, XFS, Btrfs, tmpfs: inode_set_ctime_current in their rename). What
 * comes and goes in a folder sets its time of modification, too, to the same instant; a folder
 * that was renamed, or given to another owner, has a later time of change.
 */
#include "payload/source/way.h"

#include "payload/base/freestanding.h"
#include "payload/base/sys.h"

#define NS_PER_S 1000000000LL
/* Folders and links, one below the other: 4 KiB each of a stack that may have no more than 1
 * MiB (HOLDER_ROOM of inject/session/holder.c). */
#define STEPS_MAX 100

static int is_on_switched_way(struct way *way, const char *path);

static size_t parent_length(const char *path, size_t length)
{
	while (length && path[length - 1] == '/')
		length--;
	while (length && path[length - 1] != '/')
		length--;
	while (length > 1 && path[length - 1] == '/')
		length--;
	return length;
}

static int ask_folder(struct way *way, const char *path, size_t length)
{
	char folder[WAY_PATH_SIZE];
	_cleanup_py_ PyObject *key = PyBytes_FromStringAndSize(path, (Py_ssize_t)length);
	PyObject *known = py_get(way->known, key);

	if (!key || known)
		return key ? PyObject_IsTrue(known) : -1;
	memcpy(folder, path, length);
	folder[length] = '\0';
	int result = is_on_switched_way(way, folder);
	_cleanup_py_ PyObject *value = PyLong_FromLong(result);
	if (result < 0 || py_put(way->known, key, value))
		return -1;
	return result;
}

/* The folder of the first `length` bytes of the path. */
static int is_switched_folder(struct way *way, const char *path, size_t length)
{
	if (!length || length >= WAY_PATH_SIZE)
		return 0;
	if (length == way->kept_length && !memcmp(path, way->kept, length))
		return 0;
	int result = ask_folder(way, path, length);
	if (!result) {
		memcpy(way->kept, path, length);
		way->kept_length = length;
	}
	return result;
}

/* Where the link at `path` leads to, from the folder that it lies in. */
static int is_switched_beyond(struct way *way, const char *path)
{
	size_t folder = parent_length(path, strlen(path));
	char target[WAY_PATH_SIZE];
	long size;

	if (folder + 1 >= sizeof(target))
		return 0;
	memcpy(target, path, folder);
	target[folder] = '/';
	size = sys_readlink(path, target + folder + 1, sizeof(target) - folder - 2);
	if (size <= 0)
		return 0;
	target[folder + 1 + (size_t)size] = '\0';
	int is_whole = !folder || target[folder + 1] == '/';
	return is_on_switched_way(way, is_whole ? target + folder + 1 : target);
}

static int is_on_switched_way(struct way *way, const char *path)
{
	size_t folder = parent_length(path, strlen(path));
	struct stat st;

	if (strlen(path) >= WAY_PATH_SIZE || way->steps++ >= STEPS_MAX ||
	    sys_lstat(path, &st) < 0)
		return 0;
	int64_t changed = st.st_ctim.tv_sec * NS_PER_S + st.st_ctim.tv_nsec;
	int64_t modified = st.st_mtim.tv_sec * NS_PER_S + st.st_mtim.tv_nsec;
	if (changed >= way->since_ns &&
	    (S_ISLNK(st.st_mode) || (S_ISDIR(st.st_mode) && changed != modified)))
		return 1;
	int result = S_ISLNK(st.st_mode) ? is_switched_beyond(way, path) : 0;
	if (result || folder >= strlen(path))
		return result;
	return is_switched_folder(way, path, folder);
}

int way_is_switched(struct way *way, const char *path, size_t length, int is_link)
{
	way->steps = 0;
	return is_link ? is_on_switched_way(way, path)
		       : is_switched_folder(way, path, parent_length(path, length));
}
