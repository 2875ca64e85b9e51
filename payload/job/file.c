/* SPDX-License-Identifier: MIT
 *
 * Files by raw system calls: 2000 stat calls must cost no more than 2000 stat calls.
 */
#include "payload/job/file.h"

#include <fcntl.h>

#include "payload/base/freestanding.h"
#include "payload/base/sys.h"

#define NS_PER_S 1000000000LL
#define FILE_MAX (64 << 20)

long file_stamp_get(struct file_stamp *out, const char *path)
{
	struct stat st;
	long result = sys_lstat(path, &st);
	int is_link = !result && S_ISLNK(st.st_mode);

	if (is_link)
		result = sys_stat(path, &st);
	if (result < 0)
		return result;
	*out = (struct file_stamp){
		.device = st.st_dev,
		.inode = st.st_ino,
		.size = (uint64_t)st.st_size,
		.mtime_ns = st.st_mtim.tv_sec * NS_PER_S + st.st_mtim.tv_nsec,
		.ctime_ns = st.st_ctim.tv_sec * NS_PER_S + st.st_ctim.tv_nsec,
	};
	return is_link;
}

int file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static PyObject *read_all(int fd, size_t size)
{
	char *buffer = size < FILE_MAX ? PyMem_Malloc(size + 1) : NULL;
	size_t used = 0;
	long got = 0;

	while (buffer && used < size && (got = sys_read(fd, buffer + used, size - used)) > 0)
		used += (size_t)got;
	PyObject *bytes =
		buffer && got >= 0 ? PyBytes_FromStringAndSize(buffer, (Py_ssize_t)used) : NULL;
	PyMem_Free(buffer);
	return bytes;
}

PyObject *file_read(PyObject *path)
{
	struct file_stamp stamp;
	const char *name = py_bytes(path);

	if (!name || file_stamp_get(&stamp, name) < 0)
		return NULL;
	long fd = sys_open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	PyObject *bytes = read_all((int)fd, stamp.size);
	sys_close((int)fd);
	return bytes;
}
