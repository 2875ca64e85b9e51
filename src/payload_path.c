/* SPDX-License-Identifier: MIT
 *
 * Finding the payload. It becomes code in somebody's process, so only three places count, and
 * none of them depends on the working directory.
 */
#include "src/payload_path.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inject/base/cleanup.h"

static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* BUILD/payload/payload.so when the program is BUILD/src/pyhotpatch; NULL when it is not. An
 * installed program never is: its folder has another name. */
static char *in_build_tree(void)
{
	char exe[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash, *path;

	if (len < 0)
		return NULL;
	exe[len] = '\0';
	for (int i = 0; i < 2; i++) {
		slash = strrchr(exe, '/');
		if (!slash || (i == 1 && strcmp(slash, "/src") != 0))
			return NULL;
		*slash = '\0';
	}
	return asprintf(&path, "%s/payload/payload.so", exe) < 0 ? NULL : path;
}

static int take_named(char **out, const char *named, struct hp_err *err)
{
	_cleanup_free_ char *path = realpath(named, NULL);

	if (path && is_file(path)) {
		*out = take_ptr(&path);
		return 0;
	}
	hp_err_set(err, HP_SYSTEM, path ? EINVAL : errno, "the payload %s", named);
	return hp_err_hint(err,
			   "PYHOTPATCH_PAYLOAD must name the file payload.so, or not be set");
}

int payload_path_find(char **out, struct hp_err *err)
{
	const char *named = secure_getenv("PYHOTPATCH_PAYLOAD");
	_cleanup_free_ char *path = NULL;

	if (named && named[0])
		return take_named(out, named, err);
	path = in_build_tree();
	if (!path || !is_file(path)) {
		free(path);
		path = strdup(HP_PAYLOAD_LIBDIR "/payload.so");
	}
	if (!path || !is_file(path)) {
		hp_err_set(err, HP_SYSTEM, 0, "the payload is not installed at %s",
			   HP_PAYLOAD_LIBDIR "/payload.so");
		return hp_err_hint(
			err,
			"install pyhotpatch again, or let PYHOTPATCH_PAYLOAD name its payload.so");
	}
	*out = take_ptr(&path);
	return 0;
}
