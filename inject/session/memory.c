/* SPDX-License-Identifier: MIT
 *
 * See memory.h.
 */
#include "inject/session/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "inject/base/cleanup.h"

#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif

#define PAGE 4096u

#define RX (PROT_READ | PROT_EXEC)
#define RW (PROT_READ | PROT_WRITE)

/* Executable memory is forbidden by policy, not for want of something: SELinux (EACCES), a
 * seccomp filter, PR_SET_MDWE. */
static bool is_forbidden(const struct hp_err *err)
{
	return err->sys_errno == EACCES || err->sys_errno == EPERM;
}

/* ---- the backing ---- */

static size_t view_size(const struct handover *h)
{
	return OWNER_REGION + h->total_size - h->channel_offset;
}

/* Room for it, with the first page there already: before there is anything to see. */
static int reserve_view(struct handover *h, struct hp_err *err)
{
	uint8_t *view;

	if (h->view)
		return 0;
	view = mmap(NULL, view_size(h), RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (view == MAP_FAILED)
		return hp_err_set(err, HP_SYSTEM, errno, "make room for the target's memory");
	*(volatile uint8_t *)view = 0;
	h->view = view;
	return 0;
}

/* From the channel on. The text is written by calls: through a view each page would be a fault.
 */
static int map_view(struct handover *h, struct hp_err *err)
{
	uint8_t *channel = h->view + OWNER_REGION;

	if (mmap(channel, view_size(h) - OWNER_REGION, RW, MAP_SHARED | MAP_FIXED, h->local_fd,
		 (off_t)h->channel_offset) == MAP_FAILED)
		return hp_err_set(err, HP_SYSTEM, errno, "map the target's memory");
	h->channel = (struct wire_channel *)channel;
	owner_announce(&h->owner, h->view);
	return 0;
}

int memory_view(struct handover *h, struct hp_err *err)
{
	struct stat st;

	if (fstat(h->local_fd, &st) < 0)
		return hp_err_set(err, HP_SYSTEM, errno, "look at the target's memory");
	if (st.st_size < (off_t)h->total_size)
		return hp_err_set(err, HP_SYSTEM, 0,
				  "the target changed the size of its memory");
	h->device = st.st_dev;
	h->inode = st.st_ino;
	return reserve_view(h, err) < 0 ? -1 : map_view(h, err);
}

void memory_close(struct handover *h)
{
	owner_withdraw(&h->owner);
	if (h->view)
		munmap(h->view, view_size(h));
	if (h->local_fd >= 0)
		close(h->local_fd);
	h->view = NULL;
	h->channel = NULL;
	h->local_fd = -1;
}

/* Our room is made while the thread is on its way: it is tried again, and told of, later. */
static int create(struct handover *h, const struct step *step, const uint64_t args[6],
		  struct hp_err *err)
{
	static const char what[] = "memfd_create";
	struct hp_err ignored;
	int64_t fd;

	if (step_syscall_begin(step, what, SYS_memfd_create, args, err) < 0)
		return -1;
	(void)reserve_view(h, &ignored);
	if (step_syscall_enter(step, what, err) < 0 ||
	    step_syscall_end(step, &fd, what, err) < 0)
		return -1;
	h->remote_fd = (int32_t)fd;
	return 0;
}

/* vm.memfd_noexec=2 refuses memfds without the seal, which hinders no mapping; with it, other
 * seals are allowed as well. */
static int make_memfd(struct handover *h, const struct step *step, struct hp_err *err)
{
	const uint64_t note = arch_frame_note(step->tracee->frame).v;
	const uint64_t flags[] = {MFD_CLOEXEC | MFD_NOEXEC_SEAL,
				  MFD_CLOEXEC | MFD_ALLOW_SEALING};

	for (size_t i = 0; i < 2; i++) {
		const uint64_t args[6] = {note, flags[i]};

		if (create(h, step, args, err) == 0)
			return 0;
		if (err->sys_errno != EINVAL) /* a kernel before 6.3 does not know the first */
			break;
	}
	return -1;
}

/* Open the file that a link in a folder of descriptors leads to, if it is our memfd: an open
 * file description of our own, so that a lock on it is ours alone. */
static int open_link(int dirfd, const char *name, struct hp_err *err)
{
	char link[64] = "";
	int fd;

	if (readlinkat(dirfd, name, link, sizeof(link) - 1) < 0)
		return hp_err_set(err, HP_SYSTEM, errno, "find the target's memfd");
	if (strncmp(link, "/memfd:" ARCH_FRAME_NOTE, strlen("/memfd:" ARCH_FRAME_NOTE)) != 0)
		return hp_err_set(err, HP_SYSTEM, 0, "the target closed our descriptor");
	fd = openat(dirfd, name, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? hp_err_set(err, HP_SYSTEM, errno, "open the target's memfd") : fd;
}

/* The folder is its owner's alone; CAP_SYS_PTRACE by itself gets a duplicate (Linux 5.6). */
static int open_duplicate(const struct handover *h, const struct target *target,
			  struct hp_err *err)
{
	_cleanup_fd_ int fd = (int)syscall(SYS_pidfd_getfd, target->pidfd, h->remote_fd, 0);
	char name[48];

	if (fd < 0)
		return hp_err_set(err, HP_SYSTEM, errno, "fetch the target's memfd");
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return open_link(AT_FDCWD, name, err);
}

int memory_open(struct handover *h, const struct target *target, struct hp_err *err)
{
	const struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char name[32];

	snprintf(name, sizeof(name), "fd/%d", h->remote_fd);
	h->local_fd = open_link(target->procfd, name, err);
	if (h->local_fd < 0 && err->sys_errno == EACCES)
		h->local_fd = open_duplicate(h, target, err);
	if (h->local_fd < 0)
		return -1;
	if (fcntl(h->local_fd, F_OFD_SETLK, &lock) < 0)
		return hp_err_set(err, HP_SYSTEM, errno, "lock the target's memfd");
	if (ftruncate(h->local_fd, (off_t)h->total_size) < 0)
		return hp_err_set(err, HP_SYSTEM, errno, "size the target's memfd");
	/* Were it made shorter while we have it mapped, we would die of SIGBUS. */
	if (fcntl(h->local_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return hp_err_set(err, HP_SYSTEM, errno, "seal the target's memfd");
	return 0;
}

int memory_write_image(const struct handover *h, size_t from, size_t to, struct hp_err *err)
{
	const size_t len = to - from;

	if (pwrite(h->local_fd, h->image->bytes + from, len, (off_t)from) == (ssize_t)len)
		return 0;
	return hp_err_set(err, HP_SYSTEM, errno, "write the payload");
}

static int write_early_text(struct handover *h, struct hp_err *err)
{
	if (memory_write_image(h, h->image->early, h->image->text_size, err) < 0)
		return -1;
	h->early_is_written = true;
	return 0;
}

/* What is done on our side while the thread is on its way out of the call. */
static int view_and_write(struct handover *h, struct hp_err *err)
{
	return memory_view(h, err) < 0 ? -1 : write_early_text(h, err);
}

/* The memfd is made ready while the thread is on its way into the call and out again: each way
 * takes the wake-ups of two processors. */
static int map_whole(struct handover *h, const struct step *step, uint64_t prot,
		     struct hp_err *err)
{
	static const char what[] = "mmap of the payload";
	const uint64_t flags = MAP_SHARED | (h->remote_fd < 0 ? MAP_ANONYMOUS : 0);
	const uint64_t args[6] = {0, h->total_size, prot, flags, (uint64_t)h->remote_fd, 0};
	const bool is_to_open = h->remote_fd >= 0 && h->local_fd < 0;
	struct hp_err open_err;
	int64_t result = 0;
	int opened = 0, mapped;

	if (step_syscall_begin(step, what, SYS_mmap, args, err) < 0)
		return -1;
	if (is_to_open)
		opened = memory_open(h, step->target, &open_err);
	if (step_syscall_enter(step, what, err) < 0)
		return -1;
	if (is_to_open && opened == 0)
		opened = view_and_write(h, &open_err);
	mapped = step_syscall_end(step, &result, what, err);
	if (mapped == 0)
		h->base = addr_of((uint64_t)result);
	if (opened == 0)
		return mapped;
	memory_close(h);
	*err = open_err;
	return -1;
}

static int map_executable(struct handover *h, const struct step *step, struct hp_err *err)
{
	if (map_whole(h, step, RX, err) == 0)
		return 0;
	if (!addr_is_null(h->base) || !is_forbidden(err))
		return -1;
	h->text_is_private = true;
	return map_whole(h, step, RW, err);
}

/* `refusal` is why there is no memfd. */
static int open_anonymous(struct handover *h, const struct target *target,
			  const struct hp_err *refusal, struct hp_err *err)
{
	char name[64];

	snprintf(name, sizeof(name), "map_files/%llx-%llx", (unsigned long long)h->base.v,
		 (unsigned long long)h->base.v + h->total_size);
	h->local_fd = openat(target->procfd, name, O_RDWR | O_CLOEXEC);
	if (h->local_fd >= 0)
		return memory_view(h, err);
	hp_err_obstacle(
		err, OBSTACLE_NO_MEMFD, refusal->sys_errno,
		"process %d cannot make a memfd, and only the machine's root can do without",
		target->pid);
	return geteuid() ? hp_err_hint(err, "sudo pyhotpatch attach %d", target->pid) : -1;
}

/* ---- its place in the target ---- */

int memory_make(struct handover *h, const struct step *step, struct hp_err *err)
{
	struct hp_err refusal;

	if (make_memfd(h, step, &refusal) == 0)
		return map_executable(h, step, err);
	/* Without a descriptor left the worker could not read a source file either. */
	if (!refusal.sys_errno || refusal.sys_errno == EMFILE || refusal.sys_errno == ENFILE) {
		*err = refusal;
		return -1;
	}
	/* Denied. Without a memfd the hijacked thread cannot wait for us: it goes back by the
	 * frame. */
	if (map_executable(h, step, err) < 0)
		return -1;
	return open_anonymous(h, step->target, &refusal, err);
}

static int protect(const struct step *step, remote_addr start, size_t size, uint64_t prot,
		   struct hp_err *err)
{
	const uint64_t args[6] = {start.v, size, prot};
	int64_t result;

	return step_syscall(step, &result, "mprotect of the payload", SYS_mprotect, args, err);
}

static int write_text(const struct handover *h, const struct step *step, struct hp_err *err)
{
	struct iovec from = {h->image->bytes, h->image->text_size};
	struct iovec to = {(void *)(uintptr_t)h->base.v, h->image->text_size}; /* NOLINT */
	ssize_t n = process_vm_writev(step->target->pid, &from, 1, &to, 1, 0);

	if (n == (ssize_t)h->image->text_size)
		return 0;
	return hp_err_set(err, HP_SYSTEM, n < 0 ? errno : 0, "write the payload's text");
}

static int map_private_text(const struct handover *h, const struct step *step,
			    struct hp_err *err)
{
	const uint64_t args[6] = {h->base.v,    h->image->text_size,
				  RW,           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
				  (uint64_t)-1, 0};
	int64_t result;

	if (step_syscall(step, &result, "mmap of the payload's text", SYS_mmap, args, err) <
		    0 ||
	    write_text(h, step, err) < 0)
		return -1;
	if (protect(step, h->base, h->image->text_size, RX, err) == 0)
		return 0;
	if (!is_forbidden(err))
		return -1;
	return hp_err_obstacle(err, OBSTACLE_NO_EXECUTABLE, err->sys_errno,
			       "process %d may not have new executable memory",
			       step->target->pid);
}

int memory_divide(struct handover *h, const struct step *step, struct hp_err *err)
{
	const size_t text = h->image->text_size;

	if (h->text_is_private)
		return map_private_text(h, step, err);
	/* payload_launch() does it, which saves the thread two stops; should it fail, the
	 * thread waits for our lock without a word. Where there is no lock it would be gone. */
	if (h->remote_fd < 0)
		return protect(step, addr_add(h->base, text), h->total_size - text, RW, err);
	h->data_start = addr_add(h->base, text);
	h->data_size = h->total_size - text;
	return 0;
}

/* ---- on a thread of ours ---- */

/* A place for it. It is noted at once: were we killed, the next attach finds it by that. The
 * memfd is made ready while the thread is on its way into the call and out again. */
static int reserve(struct handover *h, const struct step *step, struct hp_err *err)
{
	static const char what[] = "mmap for the payload";
	const uint64_t args[6] = {0,
				  h->total_size,
				  PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				  (uint64_t)-1,
				  0};
	struct hp_err open_err;
	int64_t result;
	int opened;

	if (step_syscall_begin(step, what, SYS_mmap, args, err) < 0)
		return -1;
	opened = memory_open(h, step->target, &open_err);
	if (step_syscall_enter(step, what, err) < 0)
		return -1;
	if (opened == 0)
		opened = memory_view(h, &open_err);
	if (step_syscall_end(step, &result, what, err) < 0)
		return -1;
	h->base = addr_of((uint64_t)result);
	if (opened < 0) {
		*err = open_err;
		return -1;
	}
	*h->channel = (struct wire_channel){.magic = WIRE_MAGIC,
					    .version = WIRE_VERSION,
					    .guest = WIRE_GUEST_NONE,
					    .image_base = h->base.v,
					    .image_size = h->total_size};
	return 0;
}

/* A child that is forked has no thread of ours and must not have our memory: there is a
 * microsecond between the two calls. Nobody sees their results. Half of the text is written
 * meanwhile. */
static int map_at_once(struct handover *h, const struct step *step, const struct chains *chains,
		       struct hp_err *err)
{
	const remote_addr call = step->target->libc.syscall_ret;
	const uint64_t base = h->base.v, fd = (uint64_t)h->remote_fd;
	struct chain chain = {
		.steps = {{call,
			   SYS_mmap,
			   {base, h->total_size, RX, MAP_SHARED | MAP_FIXED, fd, 0}},
			  {call, SYS_madvise, {base, h->total_size, MADV_DONTFORK}}},
		.count = 2,
	};
	const size_t some = h->image->early / 2 & ~(size_t)(PAGE - 1);
	int r = chain_begin(step->tracee, chains, &chain, err);
	struct hp_err unwritten, unreadable;
	uint8_t first;

	if (r == CHAIN_DONE && memory_write_image(h, 0, some, &unwritten) == 0)
		h->written = some;
	if (r == CHAIN_DONE)
		r = chain_end(step->tracee, chains, &chain, step_deadline(step->deadline), err);
	if (r < 0)
		return -1;
	if (r == CHAIN_NOT || !step->tracee->hijacked ||
	    target_read(step->target, h->base, &first, sizeof(first), &unreadable) < 0)
		return hp_err_set(err, HP_SYSTEM, 0, "the payload cannot be mapped at once");
	return 0;
}

int memory_make_apart(struct handover *h, const struct step *step, const struct chains *chains,
		      struct hp_err *err)
{
	if (make_memfd(h, step, err) < 0 || reserve(h, step, err) < 0)
		return -1;
	return map_at_once(h, step, chains, err) < 0 ? -1 : memory_divide(h, step, err);
}

void memory_give_back(const struct handover *h, const struct step *step, struct hp_err *err)
{
	struct hp_err failed;
	int64_t result;

	if (!addr_is_null(h->base)) {
		const uint64_t args[6] = {h->base.v, h->total_size};

		if (step_syscall(step, &result, "munmap", SYS_munmap, args, &failed) < 0)
			hp_err_undo(err, "%.150s", failed.text);
	}
	if (h->remote_fd >= 0) {
		const uint64_t args[6] = {(uint64_t)h->remote_fd};

		if (step_syscall(step, &result, "close", SYS_close, args, &failed) < 0)
			hp_err_undo(err, "%.150s", failed.text);
	}
}
