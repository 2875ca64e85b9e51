/* SPDX-License-Identifier: MIT
 *
 * Every obstacle to an attach that can be told apart: its name, its kind, and the remedy when
 * the place where it is found knows no better one. A unit test compares this table with
 * OBSTACLES in the manual, and asks for a test of each.
 */
#ifndef INJECT_BASE_OBSTACLES_H
#define INJECT_BASE_OBSTACLES_H

/* clang-format off */
#define HP_OBSTACLES(X)                                                                        \
	/* --- is there anything to attach to? --- */                                          \
	X(GONE, "gone", NO_PROCESS,                                                            \
	  "check the pid; pyhotpatch list shows the Python processes here")                    \
	X(THREAD, "thread", NO_PROCESS, "name the process, not one of its threads")            \
	X(ZOMBIE, "zombie", ZOMBIE, "it is gone; its parent has not collected it yet")         \
	X(MAIN_ENDED, "main-ended", ZOMBIE,                                                    \
	  "restart the service: Python needs its main thread")                                 \
	X(KERNEL, "kernel", NOT_PYTHON, "check the pid; this one belongs to the kernel")       \
	/* --- its state --- */                                                                \
	X(TRACED, "traced", TRACED, "end the other tracer (a debugger, strace) first")         \
	X(STOPPED, "stopped", STOPPED,                                                         \
	  "continue the process (kill -CONT PID), then attach again")                          \
	X(SECCOMP_STRICT, "seccomp-strict", UNSUPPORTED,                                       \
	  "restart the service without seccomp's strict mode")                                 \
	X(SECCOMP, "seccomp", UNSUPPORTED,                                                     \
	  "allow the call in the service's seccomp profile and restart it")                    \
	X(SECCOMP_UNREADABLE, "seccomp-unreadable", PERMISSION,                                \
	  "run pyhotpatch as root on the host, outside of every container")                    \
	X(NO_EXECUTABLE, "no-executable", UNSUPPORTED,                                         \
	  "allow it: systemd's MemoryDenyWriteExecute=no, SELinux's execmem, and restart the service") \
	X(NO_CTYPES, "no-ctypes", UNSUPPORTED,                                                 \
	  "end the other tracer (a debugger, strace), then attach again")                      \
	X(NO_MEMFD, "no-memfd", PERMISSION, "run pyhotpatch as root on the host")              \
	X(LIMIT, "limit", SYSTEM, "raise the limit: prlimit --pid PID")                        \
	/* --- may we? --- */                                                                  \
	X(OTHER_USER, "other-user", PERMISSION, "run as the target's user or as root")         \
	X(SET_ID, "set-id", PERMISSION, "run as root")                                         \
	X(YAMA, "yama", PERMISSION, "run as root, or with CAP_SYS_PTRACE")                     \
	X(YAMA_OFF, "yama-off", PERMISSION,                                                    \
	  "set kernel.yama.ptrace_scope below 3 in /etc/sysctl.d and reboot")                  \
	X(CAPABILITIES, "capabilities", PERMISSION, "run as root, or with CAP_SYS_PTRACE")     \
	X(NOT_DUMPABLE, "not-dumpable", PERMISSION, "run as root, or with CAP_SYS_PTRACE")     \
	X(USER_NAMESPACE, "user-namespace", PERMISSION,                                        \
	  "run pyhotpatch on the host, outside of every container")                            \
	X(SECURITY_MODULE, "security-module", PERMISSION,                                      \
	  "a security module (SELinux, AppArmor) or a container's seccomp profile forbids ptrace") \
	/* --- which Python is it? --- */                                                      \
	X(NOT_PYTHON, "not-python", NOT_PYTHON,                                                \
	  "pyhotpatch list shows the Python processes here")                                   \
	X(NOT_STARTED, "not-started", NOT_PYTHON, "try again when the service is up")          \
	X(FINALIZING, "finalizing", FINALIZING,                                                \
	  "the interpreter is shutting down; there is nothing left to patch")                  \
	X(PYPY, "pypy", UNSUPPORTED, "pyhotpatch serves CPython, not PyPy")                    \
	X(GRAALPY, "graalpy", UNSUPPORTED, "pyhotpatch serves CPython, not GraalPy")           \
	X(PYTHON_2, "python-2", UNSUPPORTED, "pyhotpatch serves CPython 3, not Python 2")      \
	X(OLD_PYTHON, "old-python", UNSUPPORTED, "run the service with a newer CPython")       \
	X(NEW_PYTHON, "new-python", UNSUPPORTED, "look for a newer pyhotpatch")                \
	X(REMOTE_DEBUG_OFF, "remote-debug-off", PERMISSION,                                    \
	  "ask whoever runs it; --force passes over it")                                       \
	X(NO_SYMBOLS, "no-symbols", UNSUPPORTED,                                               \
	  "use a Python that was linked with --export-dynamic, as distributions' are")         \
	/* --- what does it run on? --- */                                                     \
	X(WORD_SIZE, "word-size", UNSUPPORTED, "run the service with a 64-bit Python")         \
	X(MACHINE, "machine", UNSUPPORTED,                                                     \
	  "run the service with a Python for this machine, without emulation")                 \
	X(STATIC_LIBC, "static-libc", UNSUPPORTED,                                             \
	  "run the service with a Python that is linked to its libc dynamically")                 \
	X(LIBC_CODE, "libc-code", UNSUPPORTED, "run the service with an unmodified libc")
/* clang-format on */

enum hp_obstacle {
	OBSTACLE_NONE = 0,
#define X(id, name, kind, hint) OBSTACLE_##id,
	HP_OBSTACLES(X)
#undef X
		OBSTACLE_COUNT
};

#endif
