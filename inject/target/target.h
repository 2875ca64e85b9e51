/* SPDX-License-Identifier: MIT
 *
 * Everything that is known about a process before anything of it is touched: who it is, which
 * ELF files it has mapped, which Python and which libc. Made from /proc and ELF files alone.
 *
 * The invariant: a struct target never changes after target_describe(); nobody here stops or
 * writes to the process.
 */
#ifndef INJECT_TARGET_TARGET_H
#define INJECT_TARGET_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "inject/base/addr.h"
#include "inject/base/err.h"
#include "inject/elf/elf_image.h"
#include "inject/proc/maps.h"
#include "inject/proc/procfs.h"

struct module {                 /* one ELF file as mapped in the target, or the vDSO */
	const char *path;       /* borrowed from target.maps; "[vdso]" for the vDSO */
	remote_addr start, end; /* its whole extent, .bss included; end is page-aligned */
	uint64_t bias;          /* what to add to a symbol's value */
	bool deleted;           /* the file was replaced or removed on disk */
	bool loaded;            /* image has symbols and imports too, not the headers alone */
	struct elf_image image; /* machine, segments and eh_frame_hdr are always there */
};

enum libc_flavour { LIBC_NONE, LIBC_GLIBC, LIBC_MUSL };

enum python_kind { PYTHON_NONE, PYTHON_CPYTHON, PYTHON_CPYTHON2, PYTHON_PYPY, PYTHON_GRAALPY };

#define PYTHON_MICRO_UNKNOWN 255

struct python_info {
	enum python_kind kind;
	const struct module
		*module; /* libpythonX.Y.so or the executable; borrowed from modules */
	uint8_t major, minor,
		micro; /* 0.0 when unknown (PyPy); micro may be PYTHON_MICRO_UNKNOWN */
	bool debug_build, free_threaded;
	bool initialized; /* as far as can be seen from outside */
	bool finalizing;
	char version[32]; /* "3.12.1", "3.11.2 debug", "PyPy" for people */
};

/* What is known of the interpreter's own remote execution (remote_exec.h). */
struct remote_exec {
	bool is_known, is_enabled; /* it has such a thing; it was not turned off */
	/* Of the main thread's state; null when that may go away. */
	remote_addr pending, path, eval_breaker;
};

struct libc_info {
	enum libc_flavour flavour;
	const struct module *module;  /* libc.so.6 */
	const struct module *loader;  /* ld-linux-x86-64.so.2 */
	const struct module *pthread; /* libpthread.so.0 before glibc 2.34, else = module */
	const struct module
		*malloc_module;  /* whose malloc is called: libc, or jemalloc by LD_PRELOAD */
	remote_addr restore_rt;  /* libc's __restore_rt: mov $15,%rax; syscall. Always found
				  */
	remote_addr syscall_ret; /* a "syscall; ret" in libc's text. Always found */
};

struct target {
	pid_t pid;
	int pidfd,
		procfd; /* owned; guards against pid reuse. pidfd is -1 where there are none */
	uint64_t start_time; /* clock ticks since boot */
	struct proc_status status;
	bool is_kernel_thread;
	char exe[256];     /* as /proc/PID/exe reads, for people */
	char command[256]; /* the command line on one line, control characters replaced */
	struct maps maps;
	struct module *modules; /* by address; owned. What is loaded: see target_symbol() */
	size_t module_count;
	const struct module
		*executable; /* borrowed from modules; NULL when it cannot be told */
	uint8_t auxv[768];   /* as the kernel set it up at exec(): tells a later exec() apart */
	size_t auxv_len;
	struct python_info python;
	struct remote_exec remote_exec;
	struct libc_info libc;
};

/* How far to look: list wants names and versions only, attach wants everything. */
enum target_depth {
	TARGET_IDENTIFY, /* status, exe, command, maps, which Python */
	TARGET_FULL,     /* also libc, gadgets; every obstacle that can be known is an error */
	TARGET_FORCED,   /* likewise, but for what whoever runs the process has forbidden */
};

/* Fill *out. With TARGET_IDENTIFY a stopped or traced process and a Python that cannot be
 * served are no errors; a process without any Python is. With TARGET_FULL each obstacle is an
 * error with its own kind and hint: no such process, zombie, stopped, traced (and by whom),
 * another user's, not Python, PyPy, Python 2, unsupported version, other machine or word size,
 * statically linked libc, remote debugging turned off (not with TARGET_FORCED). */
HP_MUST_CHECK int target_describe(struct target *out, pid_t pid, enum target_depth depth,
				  struct hp_err *err);
void target_fini(struct target *target);

/* The same checks as one list, for doctor: every obstacle, not the first alone. Each is a
 * filled hp_err. Returns how many (0: nothing stands in the way), at most capacity. */
size_t target_obstacles(pid_t pid, struct hp_err *obstacles, size_t capacity);
/* The same; *out is what was found out on the way, perhaps next to nothing, and has to be given
 * to target_fini() in any case. */
size_t target_examine(struct target *out, pid_t pid, struct hp_err *obstacles, size_t capacity);

/* Turn an EPERM of ptrace or of a /proc file into the reason and the remedy: already traced,
 * other user, not dumpable, Yama 1-3, missing capability, user namespace. Fills *err, returns
 * -1. */
int target_diagnose_eperm(const struct target *target, const char *what, struct hp_err *err);

/* A seccomp filter that we may not read: fills *err, returns -1. */
int target_filters_unreadable(const struct target *target, struct hp_err *err);

/* Whether the process is still the one described, alive, and has not replaced itself by exec().
 */
bool target_alive(const struct target *target);

/* The module that holds addr, or NULL. */
const struct module *target_module_at(const struct target *target, remote_addr addr);

/* The address of a function or variable that the target's own code would reach by that name:
 * names that begin with Py or _Py in the chosen Python first, then executable, libpython, libc,
 * libpthread, the provider of malloc. 0 when none of these defines it. IFUNCs are not returned.
 * Files other than these are not loaded and not searched. */
remote_addr target_symbol(const struct target *target, const char *name);
/* The same in its C library alone, whatever others have that name; null when there is none. */
remote_addr target_libc_symbol(const struct target *target, const char *name);

/* Whether libc's text has the instructions that load the numbers of these system calls: when
 * not, libc never makes them. True when it cannot be told. Reads all of the text: about 1 ms.
 */
void target_libc_calls(bool out[2], const struct target *target, const uint32_t nrs[2]);

/* Whether a Python is mapped in it, or it is called so and may not be looked into. */
bool target_has_python(pid_t pid);

/* All running processes of which that is so; for list. Owned array of pids. */
HP_MUST_CHECK int target_find_pythons(pid_t **pids_out, size_t *count_out, struct hp_err *err);

/* The process that has this pid in a container, seen from here; 0 when there is none, or more
 * than one. */
pid_t target_find_contained(pid_t inner_pid);

/* Copy len bytes at addr of the target; short reads are errors. Uses process_vm_readv and falls
 * back to /proc/PID/mem. */
HP_MUST_CHECK int target_read(const struct target *target, remote_addr addr, void *out,
			      size_t len, struct hp_err *err);

#endif
