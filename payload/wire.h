/* SPDX-License-Identifier: MIT
 *
 * The contract between the two halves: the program outside (inject/) and the payload inside the
 * target (payload/). The only header that both include. Fixed-width integers and plain structs
 * only; what the target writes is untrusted outside.
 *
 * One memfd carries everything. It is mapped twice into the target (R-X and RW, never both) and
 * once into the program:
 *
 *   image_base                          channel
 *   |                                   |
 *   v                                   v
 *   +-------------------+---------------+---------------+-----------+--------------------+
 *   | payload text      | payload data  | wire_channel  | request   | reply              |
 *   | R-X               | RW            | RW (1 page)   | RW        | RW, sparse         |
 *   +-------------------+---------------+---------------+-----------+--------------------+
 *   |<------------------------------- image_size ---------------------------------------->|
 *
 * The invariant: whoever swaps channel.state decides. The program may swap PENDING, RUNNING or
 * PREPARED for CANCELLED; the payload must swap RUNNING for COMMITTING before its first write
 * to the program that it serves. So "cancelled" and "patched" exclude each other, whoever dies
 * in between.
 */
#ifndef PAYLOAD_WIRE_H
#define PAYLOAD_WIRE_H

#include <stdint.h>

#include "payload/wire_texts.h"

#define WIRE_MAGIC      0x31504850u /* "PHP1" */
#define WIRE_VERSION    9u
#define WIRE_REPLY_SIZE (4u << 20) /* address space; pages exist only where the reply wrote */
#define WIRE_LEFTOVERS  4

/* channel.state, a futex word. Arrows: EMPTY > PENDING or, when it could not be filled,
 * CANCELLED; PENDING > RUNNING > COMMITTING > DONE; PENDING or RUNNING > FAILED; COMMITTING >
 * FAILED after a complete undo; PENDING or RUNNING > CANCELLED.
 *
 * With WIRE_TOGETHER the payload waits for the program twice, before it changes anything and
 * after: RUNNING > PREPARED > RUNNING or CANCELLED; COMMITTING > APPLIED > KEPT or REVOKED >
 * COMMITTING. When the program has died meanwhile, the payload itself swaps PREPARED for
 * CANCELLED and APPLIED for REVOKED.
 */
enum wire_state {
	WIRE_EMPTY = 0, /* the image is not written yet but for what a hijacked thread needs */
	WIRE_PENDING = 1,
	WIRE_RUNNING = 2,
	WIRE_COMMITTING = 3,
	WIRE_DONE = 4,   /* the reply is complete; what it says was applied */
	WIRE_FAILED = 5, /* the reply is complete; the program is as it was */
	WIRE_CANCELLED = 6,
	WIRE_PREPARED = 7, /* nothing is changed, and that it can be is known */
	WIRE_APPLIED = 8,  /* changed, and it can be taken back */
	WIRE_KEPT = 9,
	WIRE_REVOKED = 10,
};

/* channel.phase: what the worker is at, for the progress line. No decision hangs on it. */
enum wire_phase {
	WIRE_PHASE_NONE = 0,
	WIRE_PHASE_GIL,     /* waits for the GIL */
	WIRE_PHASE_TURN,    /* waits for another attach to end */
	WIRE_PHASE_SELECT,  /* looks for changed modules */
	WIRE_PHASE_COMPILE, /* reads and compiles sources */
	WIRE_PHASE_SHADOW,  /* runs new module code */
	WIRE_PHASE_PLAN,
	WIRE_PHASE_COMMIT,
	WIRE_PHASE_REPORT,
	WIRE_PHASE_LEAVING,
	WIRE_PHASE_IDLE,     /* waits until nobody runs what is to change */
	WIRE_PHASE_TOGETHER, /* waits for the other processes of the operation */
	WIRE_PHASE_MAIN,     /* waits for the main thread to execute Python */
};

/* channel.guest: whether a hijacked thread may execute the image. The program may send one in
 * (LEFT > SENT) as long as the worker has not begun to unmap it (LEFT > SHUT). */
enum wire_guest {
	WIRE_GUEST_SENT = 0,
	WIRE_GUEST_INSIDE = 1, /* by itself: it has arrived */
	WIRE_GUEST_LEFT = 2,
	WIRE_GUEST_SHUT = 3,
	WIRE_GUEST_NONE = 4, /* none was ever sent, and there is no worker */
};

struct wire_channel {
	uint32_t magic, version;
	uint32_t state;       /* enum wire_state; atomic, futex word */
	uint32_t phase;       /* enum wire_phase; atomic */
	int64_t deadline_ns;  /* CLOCK_MONOTONIC as the target reads it */
	int32_t worker_tid;   /* as the target sees it; 0 until the worker runs; atomic */
	int32_t entry_result; /* of the call made on a hijacked thread: -1 until known, then 0
				 or an errno value (EBUSY: it does not hold the GIL); atomic */
	int32_t memfd;        /* the target's descriptor of this memory; the worker closes it */
	uint32_t owner; /* the program's thread; the kernel sets FUTEX_OWNER_DIED in it when
			   that ends (set_robust_list(2)); atomic */
	uint64_t image_base, image_size;       /* what the worker unmaps as its last act */
	uint64_t syscall_ret;                  /* a "syscall; ret" in the target's libc */
	uint64_t request_offset, request_size; /* bytes, from the start of the channel */
	uint64_t reply_offset, reply_capacity; /* likewise */
	uint32_t guest;                        /* enum wire_guest; atomic */
	uint32_t worker_served; /* nonzero: the worker needs the GIL no more; atomic */
	uint64_t guest_lock[4]; /* a struct flock: what the hijacked thread waits for, outside
				   the image */
	uint64_t memfd_device, memfd_inode;      /* the program may have closed memfd, and the
						    number may be another file's */
	uint64_t data_start, data_size;          /* R-X until payload_launch() makes it RW */
	uint64_t leftover_inode[WIRE_LEFTOVERS]; /* memfds of killed attaches, which the worker
						    closes, too; 0: none */
	int32_t leftover_fd[WIRE_LEFTOVERS];
};

/* What is asked for, and what it is called. */
/* clang-format off */
#define WIRE_COMMANDS(X) \
	X(ATTACH, "attach")     /* apply what changed on disk */ \
	X(PLAN, "plan")         /* say what attach would do: change nothing, run nothing */ \
	X(ROLLBACK, "rollback") /* take the last attach back, or those after `argument` */ \
	X(STATUS, "status")     /* say what was applied */ \
	X(FORGET, "forget")     /* remove all that earlier commands left in the target */ \
	X(SOURCES, "sources")   /* name the files that the modules come from */
/* clang-format on */

enum wire_command {
	WIRE_COMMAND_NONE = 0,
#define WIRE_COMMAND(name, text) WIRE_COMMAND_##name,
	WIRE_COMMANDS(WIRE_COMMAND)
#undef WIRE_COMMAND
		WIRE_COMMAND_COUNT
};

/* The request: this, then module_count NUL-terminated module names and path_count such paths,
 * strings_size bytes in all. With neither, every module is meant; otherwise those that one of
 * them names: a path means the files at it and below. */
enum wire_request_flags {
	WIRE_RERUN = 1u << 0,     /* run whole module bodies, as the original reload_all does */
	WIRE_WHEN_IDLE = 1u << 1, /* wait until nobody runs what is to change; argument: at most
				     so many milliseconds, 0: as long as the deadline allows */
	WIRE_TO = 1u << 2,       /* rollback: `argument` is the attach that is to be the last */
	WIRE_TOGETHER = 1u << 3, /* attach, rollback: one of several processes, which are
				    changed all or none; see enum wire_state */
	WIRE_ON_MAIN_THREAD = 1u << 4, /* attach: new module code runs on the main thread */
};
struct wire_request {
	uint32_t magic, version;
	uint32_t command; /* enum wire_command */
	uint32_t flags;   /* enum wire_request_flags */
	uint32_t argument;
	uint32_t module_count;
	uint32_t strings_size;
	uint32_t path_count;
};

enum wire_status {
	WIRE_STATUS_NONE = 0, /* the worker never answered */
	WIRE_STATUS_APPLIED,
	WIRE_STATUS_NOTHING_TO_DO,
	WIRE_STATUS_SOURCE_ERROR, /* new source does not compile or its module code raised */
	WIRE_STATUS_REFUSED,      /* cannot be applied; the records say why */
	WIRE_STATUS_CANCELLED, /* the worker found the channel cancelled or past its deadline */
	WIRE_STATUS_UNSUPPORTED, /* this interpreter, or its state, cannot be served */
	WIRE_STATUS_FINALIZING,  /* the interpreter is shutting down */
	WIRE_STATUS_BROKEN,      /* an undo failed: the program may not be as it was */
	WIRE_STATUS_INTERNAL,    /* a bug of the payload, nothing was changed */
	WIRE_STATUS_BUSY, /* what is to change was running all the time; nothing was changed */
	WIRE_STATUS_REVOKED, /* applied and taken back: another process could not be changed */
	WIRE_STATUS_COUNT
};

/* The reply: this, then record_count records in `used` bytes. */
struct wire_reply {
	uint32_t magic, version;
	uint32_t status; /* enum wire_status */
	uint32_t record_count;
	uint64_t used;           /* bytes of records that follow */
	uint32_t truncated;      /* records that did not fit */
	uint32_t modules_looked; /* modules with a source that were considered */
	uint64_t gil_wait_ns, select_ns, compile_ns, shadow_ns, plan_ns, commit_ns, total_ns;
	uint64_t python_version; /* PY_VERSION_HEX of the interpreter that was served */
};

enum wire_record_kind {
	WIRE_RECORD_MODULE = 1, /* name = SHA-256 of the source or "", text = file */
	WIRE_RECORD_FUNCTION,   /* name = qualified name */
	WIRE_RECORD_CLASS,
	WIRE_RECORD_NAME, /* a module-level name; text = the type of what it is bound to, value
			     = items in it */
	WIRE_RECORD_INSTANCES, /* `count` instances of class `name` */
	WIRE_RECORD_STATEMENT, /* a statement that runs: line, text = how it begins */
	WIRE_RECORD_FRAME,     /* `count` frames in old code: name, text = file, line; value =
				  the thread's id, 0 when in none or not known */
	WIRE_RECORD_WARNING,   /* text */
	WIRE_RECORD_ERROR,     /* text, as Python shows it: may hold several lines */
	WIRE_RECORD_ATTACH,    /* an attach, number `count`, at `value` ns since the epoch; what
				  follows up to the next one is what it did */
	WIRE_RECORD_SOURCE,    /* text = the file, or archive, that a module comes from */
	WIRE_RECORD_KIND_COUNT
};

enum wire_action {
	WIRE_ACTION_NONE = 0,
	WIRE_ACTION_CHANGED, /* adopted in place, rebound */
	WIRE_ACTION_ADDED,
	WIRE_ACTION_REMOVED,
	WIRE_ACTION_KEPT,
	WIRE_ACTION_MIGRATED, /* donor class took over; instances moved. Of a module: changed,
				 and its file is another than it was imported from */
	WIRE_ACTION_SKIPPED,  /* text says why */
	WIRE_ACTION_REFUSED,  /* text says why */
	WIRE_ACTION_WAITING,  /* a generator or coroutine: goes on when it is resumed */
	WIRE_ACTION_LOST,     /* a name's value, which the program may have built up */
	WIRE_ACTION_COUNT
};

/* One uniform record: this, then three NUL-terminated UTF-8 strings (module, name, text), then
 * zero bytes up to a multiple of eight. `size` counts all of it. */
struct wire_record {
	uint8_t kind;
	uint8_t wording; /* enum wire_text: `text` has what is put into it */
	uint16_t action;
	uint32_t size;
	uint32_t line; /* 0 when none */
	uint32_t count;
	uint64_t value; /* what it is, the kind says */
};

_Static_assert(sizeof(struct wire_channel) == 216, "wire layout");
_Static_assert(sizeof(struct wire_request) == 32, "wire layout");
_Static_assert(sizeof(struct wire_reply) == 96, "wire layout");
_Static_assert(sizeof(struct wire_record) == 24, "wire layout");
_Static_assert(WIRE_RECORD_KIND_COUNT <= 256 && WIRE_TEXT_COUNT <= 256, "wire layout");

#endif
