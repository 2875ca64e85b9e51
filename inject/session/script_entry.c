/* SPDX-License-Identifier: MIT
 *
 * See script_entry.h. How a request is made: Python/remote_debug.h and Python/ceval_gil.c of
 * CPython 3.14 and 3.15.
 */
#include "inject/session/script_entry.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "inject/base/cleanup.h"
#include "inject/proc/procfs.h"
#include "inject/session/entry_script.h"
#include "inject/session/guest.h"
#include "inject/target/remote_exec.h"

/* Bits of a thread's eval_breaker, all in its lowest byte (Include/internal/pycore_ceval.h). */
#define SIGNALS_PENDING 0x02u
#define CALLS_TO_DO     0x04u
#define ASYNC_EXCEPTION 0x08u
#define PLEASE_STOP     0x20u
#define EXPLICIT_MERGE  0x40u /* free-threaded builds have it alone */

#define LOOK_NS     500000
#define PROGRESS_NS 100000000ll
#define RUN_NS      1500000000ll /* from taking the script to its first act */
#define START_NS    3000000000ll /* from our answer to the worker; longer than its patience */
#define STOPPED_NS  1000000000ll /* so long in a tracer's hands is no accident */
#define DROP_NS     20000000     /* from the withdrawal to the end of the file */
#define VAIN_MAX    2

/* ENTRY_VAIN: the script was taken and has not begun. ENTRY_AGAIN: it has, and did not come to
 * its end, as when the program's handler of a signal raises an exception in it. */
enum { ENTRY_OPEN = 0, ENTRY_VAIN, ENTRY_AGAIN };

struct script_entry {
	struct handover *handover; /* these three are borrowed */
	const struct target *target;
	const struct session_options *options;
	struct entry_script script;
	char before[REMOTE_EXEC_PATH]; /* what was there in place of our path */
	int64_t began_ns, progress_ns;
	int64_t running_ns; /* when the main thread was seen other than stopped by a tracer */
};

/* ---- the request ---- */

static int put(const struct script_entry *entry, remote_addr at, const void *bytes, size_t len,
	       struct hp_err *err)
{
	struct iovec here = {(void *)(uintptr_t)bytes, len};
	struct iovec there = {(void *)(uintptr_t)at.v, len}; /* NOLINT */

	errno = 0;
	if (process_vm_writev(entry->target->pid, &here, 1, &there, 1, 0) == (ssize_t)len)
		return 0;
	if (errno == EPERM)
		return target_diagnose_eperm(entry->target, "write to the memory of", err);
	return hp_err_set(err, HP_SYSTEM, errno, "ask the interpreter to run a script");
}

static int get_pending(int32_t *out, const struct script_entry *entry, struct hp_err *err)
{
	return target_read(entry->target, entry->target->remote_exec.pending, out, sizeof(*out),
			   err);
}

/* The interpreter looks for a request whenever a bit of its eval_breaker is set. It sets and
 * clears them atomically, which we cannot: a bit that is set between our look and our write is
 * lost. So nothing is written when one is set already; and what is written is all of those
 * whose loss would matter, each of which means no more than "look whether there is something".
 * For the same reason PLEASE_STOP is never cleared by us: it would be another thread's request
 * to stop that is lost, for which that waits. */
static int nudge(const struct script_entry *entry, struct hp_err *err)
{
	const struct remote_exec *exec = &entry->target->remote_exec;
	uint8_t bits = PLEASE_STOP | SIGNALS_PENDING | CALLS_TO_DO | ASYNC_EXCEPTION, now;

	if (entry->target->python.free_threaded)
		bits |= EXPLICIT_MERGE;
	if (target_read(entry->target, exec->eval_breaker, &now, 1, err) < 0)
		return -1;
	return now ? 0 : put(entry, exec->eval_breaker, &bits, 1, err);
}

static int request_script(struct script_entry *entry, struct hp_err *err)
{
	const struct remote_exec *exec = &entry->target->remote_exec;
	const int32_t pending = 1;

	if (target_read(entry->target, exec->path, entry->before, sizeof(entry->before), err) <
		    0 ||
	    put(entry, exec->path, entry->script.path, strlen(entry->script.path) + 1, err) <
		    0 ||
	    put(entry, exec->pending, &pending, sizeof(pending), err) < 0)
		return -1;
	return nudge(entry, err);
}

/* What was not taken, and in any case our path: unless it is another debugger's by now. */
static void withdraw(const struct script_entry *entry)
{
	const struct remote_exec *exec = &entry->target->remote_exec;
	const size_t len = strlen(entry->script.path) + 1;
	char there[sizeof(entry->script.path)];
	const int32_t none = 0;
	struct hp_err ignored;

	if (target_read(entry->target, exec->path, there, len, &ignored) < 0 ||
	    memcmp(there, entry->script.path, len) != 0)
		return;
	if (put(entry, exec->pending, &none, sizeof(none), &ignored) < 0 ||
	    put(entry, exec->path, entry->before, len, &ignored) < 0)
		return;
}

/* ---- waiting for the main thread ---- */

static void pause_ns(long ns)
{
	nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

static void report_progress(struct script_entry *entry)
{
	const struct session_options *options = entry->options;
	const int64_t now = clock_now_ns();

	if (!options->progress || now - entry->progress_ns < PROGRESS_NS)
		return;
	entry->progress_ns = now;
	options->progress(options->progress_context, WIRE_PHASE_NONE, now - entry->began_ns);
}

/* One that its debugger has stopped runs nothing; under strace it stops only for moments. */
static bool is_stopped_for_long(struct script_entry *entry)
{
	struct proc_stat stat;
	struct hp_err ignored;

	if (proc_stat_read(&stat, entry->target->procfd, &ignored) < 0 || stat.state != 't')
		entry->running_ns = clock_now_ns();
	return clock_now_ns() - entry->running_ns > STOPPED_NS;
}

static int check_time(struct script_entry *entry, struct hp_err *err)
{
	if (entry->options->interrupted && *entry->options->interrupted)
		return hp_err_set(err, HP_INTERRUPTED, 0, "interrupted");
	if (!target_alive(entry->target))
		return hp_err_set(err, HP_TARGET_DIED, 0, "the process has ended");
	if (deadline_passed(entry->options->deadline))
		return hp_err_set(err, HP_TIMEOUT, 0,
				  "its main thread executed no Python in time");
	if (is_stopped_for_long(entry))
		return hp_err_set(err, HP_TIMEOUT, 0, "its main thread is stopped");
	report_progress(entry);
	return 0;
}

/* ---- the memory that the script makes ---- */

/* The target's descriptor of the memfd with our name; -1 while there is none. */
static int32_t find_memory(const struct script_entry *entry)
{
	const int fd = openat(entry->target->procfd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *file;
	int32_t found = -1;
	char wanted[80], link[80];

	if (!folder) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	snprintf(wanted, sizeof(wanted), "/memfd:%s (deleted)", entry->script.memory);
	while (found < 0 && (file = readdir(folder))) {
		ssize_t len = readlinkat(fd, file->d_name, link, sizeof(link) - 1);

		if (len > 0 && (size_t)len == strlen(wanted) &&
		    !memcmp(link, wanted, (size_t)len))
			found = (int32_t)strtol(file->d_name, NULL, 10);
	}
	closedir(folder);
	return found;
}

static int await_memory(int32_t *fd_out, struct script_entry *entry, struct hp_err *err)
{
	int64_t taken_ns = 0;
	int32_t pending;

	for (;;) {
		if (check_time(entry, err) < 0 || get_pending(&pending, entry, err) < 0)
			return -1;
		if (pending) {
			taken_ns = 0;
			if (nudge(entry, err) < 0)
				return -1;
		} else {
			*fd_out = find_memory(entry);
			if (*fd_out >= 0)
				return ENTRY_OPEN;
			if (!taken_ns)
				taken_ns = clock_now_ns();
			if (clock_now_ns() - taken_ns > RUN_NS)
				return ENTRY_VAIN;
		}
		pause_ns(LOOK_NS);
	}
}

/* What the script says of its mappings, before there is a channel. */
static int await_mapping(remote_addr *base_out, const struct script_entry *entry,
			 struct hp_err *err)
{
	const struct deadline patience = deadline_after_ns(ENTRY_PATIENCE_NS);
	struct wire_channel *channel = entry->handover->channel;

	while (!deadline_passed(patience)) {
		const int failure = __atomic_load_n(&channel->entry_result, __ATOMIC_ACQUIRE);
		const uint64_t base = __atomic_load_n(&channel->image_base, __ATOMIC_ACQUIRE);

		if (failure == ENOSYS)
			return hp_err_obstacle(
				err, OBSTACLE_NO_CTYPES, 0,
				"the Python of process %d has no _ctypes, without which no other way in is left",
				entry->target->pid);
		if (failure == EPERM || failure == EACCES)
			return hp_err_obstacle(err, OBSTACLE_NO_EXECUTABLE, failure,
					       "process %d may not have new executable memory",
					       entry->target->pid);
		if (failure)
			return hp_err_set(err, HP_SYSTEM, failure, "mmap of the payload");
		if (base) {
			*base_out = addr_of(base);
			return ENTRY_OPEN;
		}
		pause_ns(LOOK_NS);
	}
	return ENTRY_AGAIN;
}

/* False when the worker has begun. */
static bool cancel(const struct handover *h)
{
	uint32_t state = h->channel ? __atomic_load_n(&h->channel->state, __ATOMIC_ACQUIRE) : 0;

	while (h->channel && (!state || state == WIRE_PENDING))
		if (__atomic_compare_exchange_n(&h->channel->state, &state, WIRE_CANCELLED,
						false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			return true;
	return !h->channel || state == WIRE_CANCELLED;
}

static bool is_pending(const struct handover *h)
{
	return __atomic_load_n(&h->channel->state, __ATOMIC_ACQUIRE) == WIRE_PENDING;
}

/* The script may have lost its patience; then the worker is never started. */
static int await_start(struct script_entry *entry, struct hp_err *err)
{
	const struct timespec look = {.tv_nsec = LOOK_NS};
	const struct deadline patience = deadline_after_ns(START_NS);
	const struct handover *h = entry->handover;

	while (guest_result(h) == GUEST_UNKNOWN && is_pending(h)) {
		const int r = check_time(entry, err) < 0  ? -1
			      : deadline_passed(patience) ? ENTRY_AGAIN
							  : ENTRY_OPEN;

		if (r != ENTRY_OPEN && cancel(h))
			return r;
		syscall(SYS_futex, &h->channel->entry_result, FUTEX_WAIT, GUEST_UNKNOWN, &look,
			NULL, 0);
	}
	if (guest_result(h) <= 0)
		return ENTRY_OPEN;
	return hp_err_set(err, HP_SYSTEM, guest_result(h), "start the worker thread");
}

static int share_memory(struct script_entry *entry, int32_t fd, struct span request,
			struct hp_err *err)
{
	remote_addr base;
	int r;

	if (handover_open(entry->handover, entry->target, fd, err) < 0)
		return -1;
	r = await_mapping(&base, entry, err);
	if (r != ENTRY_OPEN)
		return r;
	if (handover_offer(entry->handover, entry->target, base, request,
			   entry->options->deadline, err) < 0)
		return -1;
	return await_start(entry, err);
}

/* ---- the whole ---- */

/* Another debugger's script goes first. */
static int await_turn(struct script_entry *entry, struct hp_err *err)
{
	int32_t pending;

	for (;;) {
		if (check_time(entry, err) < 0 || get_pending(&pending, entry, err) < 0)
			return -1;
		if (!pending)
			return 0;
		pause_ns(LOOK_NS);
	}
}

static int knock(struct script_entry *entry, struct span request, struct hp_err *err)
{
	int32_t fd = -1;
	int r;

	if (entry_script_write(&entry->script, entry->target, entry->handover,
			       entry->options->deadline.at_ns, err) < 0)
		return -1;
	r = request_script(entry, err);
	if (r == 0)
		r = await_memory(&fd, entry, err);
	/* Read as a whole by now, or it will not be. */
	withdraw(entry);
	if (r != ENTRY_OPEN)
		pause_ns(DROP_NS); /* who is just about to open it would complain aloud */
	entry_script_remove(&entry->script);
	return r == ENTRY_OPEN ? share_memory(entry, fd, request, err) : r;
}

int script_entry_run(struct handover *handover, const struct target *target,
		     struct span request, const struct session_options *options,
		     struct hp_err *err)
{
	const int64_t now = clock_now_ns();
	struct script_entry entry = {handover, target, options, .began_ns = now,
				     .running_ns = now};

	for (int vain = 0; vain < VAIN_MAX;) {
		int r;

		handover_init(handover, handover->image, request.len);
		r = await_turn(&entry, err);
		if (r == 0)
			r = knock(&entry, request, err);
		if (r == ENTRY_OPEN)
			return 0;
		(void)cancel(handover);
		handover_fini(handover);
		if (r < 0)
			return -1;
		vain += r == ENTRY_VAIN;
	}
	return hp_err_set(
		err, HP_TIMEOUT, 0,
		"its interpreter took a script of ours and did not run it (may it read files in /tmp, does an audit hook forbid it?)");
}
