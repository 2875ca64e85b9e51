/* SPDX-License-Identifier: MIT
 *
 * Scope-bound ownership: `_cleanup_fd_ int fd = -1;` closes at the end of the scope, and
 * take_fd(&fd) hands the ownership on.
 */
#ifndef INJECT_BASE_CLEANUP_H
#define INJECT_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(fn) __attribute__((cleanup(fn)))

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

#define _cleanup_free_ _cleanup_(cleanup_free)
#define _cleanup_fd_   _cleanup_(cleanup_fd)
#define _cleanup_file_ _cleanup_(cleanup_file)

static inline int take_fd(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}

static inline void *take_ptr_raw(void *p)
{
	void **slot = p;
	void *taken = *slot;
	*slot = NULL;
	return taken;
}
#define take_ptr(p) ((__typeof__(*(p)))take_ptr_raw(p))

#endif
