/* SPDX-License-Identifier: MIT
 *
 * Reading the target's memory. Never writing.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "inject/base/cleanup.h"
#include "inject/target/target.h"

/* /proc/PID/mem also reads pages without read permission, and works where a seccomp filter
 * around us (a container's) forbids process_vm_readv. */
static int read_mem_file(const struct target *target, uint64_t addr, uint8_t *out, size_t len)
{
	_cleanup_fd_ int fd = openat(target->procfd, "mem", O_RDONLY | O_CLOEXEC);
	size_t done = 0;

	if (fd < 0)
		return -1;
	while (done < len) {
		ssize_t got = pread(fd, out + done, len - done, (off_t)(addr + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -1;
		done += (size_t)got;
	}
	return 0;
}

int target_read(const struct target *target, remote_addr addr, void *out, size_t len,
		struct hp_err *err)
{
	struct iovec here = {out, len};
	struct iovec there = {0};

	/* Not a pointer of ours, but the system call has it as one. */
	there.iov_base = (void *)(uintptr_t)addr.v;
	there.iov_len = len;
	errno = 0;
	if (process_vm_readv(target->pid, &here, 1, &there, 1, 0) == (ssize_t)len)
		return 0;
	if (errno == ESRCH)
		return hp_err_obstacle(err, OBSTACLE_GONE, 0, "process %d has gone",
				       target->pid);
	if (addr.v <= INT64_MAX && read_mem_file(target, addr.v, out, len) == 0)
		return 0;
	if (errno == EPERM || errno == EACCES)
		return target_diagnose_eperm(target, "read the memory", err);
	return hp_err_set(err, HP_SYSTEM, errno, "read %zu bytes at %#llx of process %d", len,
			  (unsigned long long)addr.v, target->pid);
}
