# SPDX-License-Identifier: MIT
"""A target under a seccomp filter, or another rule: confined.py MODE SECONDS.

    docker           what Docker's default profile does to a container without capabilities
    needed           kills for every call but this program's and those of an attach
    kill:CALL        lets everything pass, but kills for CALL; likewise trap:CALL
    deny:CALL        CALL fails with EPERM
    no-memfd         memfd_create fails with EPERM
    no-memfd-exec    that and no-exec
    no-exec          nothing new can be mapped executable, but made so (mprotect)
    no-exec-at-all   nor made so
    mdwe             PR_SET_MDWE: what was writable never becomes executable
    no-exec-mdwe     both
    none
"""
import ctypes
import importlib.util
import os
import select
import sys
import time

import state

KILL_PROCESS, KILL, TRAP, ALLOW = 0x80000000, 0, 0x30000, 0x7FFF0000
EPERM, EACCES, ENOSYS = 1, 13, 38
MASKED_EQUAL = 7  # enum scmp_compare

# docs.docker.com, "Seccomp security profiles for Docker": what the default profile blocks for a
# container without capabilities.
DOCKER_BLOCKS = """acct add_key bpf clock_adjtime clock_settime create_module delete_module
finit_module get_kernel_syms get_mempolicy init_module ioperm iopl kcmp kexec_file_load kexec_load
keyctl lookup_dcookie mbind mount move_pages nfsservctl open_by_handle_at perf_event_open pivot_root
query_module quotactl reboot request_key set_mempolicy setns settimeofday swapon swapoff sysfs _sysctl
umount2 unshare uselib userfaultfd ustat vhangup io_uring_setup io_uring_enter io_uring_register
fsopen fsmount move_mount open_tree clone3""".split()

# The table of inject/target/seccomp.c, and what this program itself makes.
NEEDED = """memfd_create mmap munmap close rt_sigreturn fcntl rt_sigaction mprotect rt_sigprocmask clone clone3
set_robust_list rseq madvise exit gettid clock_gettime clock_nanosleep openat newfstatat readlinkat read
getpid tgkill futex mremap brk restart_syscall sched_getaffinity""".split()
OWN = "write select pselect6 poll exit_group getrandom".split()
if "t" in getattr(sys, "abiflags", ""):
    NEEDED.append("sched_yield")
if sys.version_info >= (3, 15):
    NEEDED.append("prctl")


class Comparison(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64),
                ("b", ctypes.c_uint64)]


class Filter:
    """libseccomp, as a container runtime uses it."""

    def __init__(self, otherwise):
        self.lib = ctypes.CDLL("libseccomp.so.2")
        self.lib.seccomp_init.restype = ctypes.c_void_p
        self.context = ctypes.c_void_p(self.lib.seccomp_init(ctypes.c_uint32(otherwise)))

    def number(self, call):
        return self.lib.seccomp_syscall_resolve_name(call.encode())

    def rule(self, action, number, *comparisons):
        array = (Comparison * max(1, len(comparisons)))(*comparisons)
        result = self.lib.seccomp_rule_add_array(
            self.context, ctypes.c_uint32(action), number, len(comparisons), array)
        if result != 0:
            raise OSError(-result, "rule for call %d" % number)

    def load(self):
        result = self.lib.seccomp_load(self.context)
        if result != 0:
            raise OSError(-result, "load the filter")


def errno_action(number):
    return 0x50000 | number


def docker():
    it = Filter(errno_action(EPERM))
    blocked = {it.number(call) for call in DOCKER_BLOCKS}
    clone = it.number("clone")
    for number in range(0, 450):
        name = it.lib.seccomp_syscall_resolve_num_arch
        name.restype = ctypes.c_void_p
        if number not in blocked and number != clone and name(0xC000003E, number):
            it.rule(ALLOW, number)
    # No new namespaces: CLONE_NEW* are 0x7e020000.
    it.rule(ALLOW, clone, Comparison(0, MASKED_EQUAL, 0x7E020000, 0))
    it.rule(errno_action(ENOSYS), it.number("clone3"))
    it.load()


def needed():
    it = Filter(KILL_PROCESS)
    for call in NEEDED + OWN:
        it.rule(ALLOW, it.number(call))
    it.load()


def one_call(mode):
    action, call = mode.split(":")
    it = Filter(ALLOW)
    it.rule({"kill": KILL_PROCESS, "trap": TRAP, "deny": errno_action(EPERM)}[action],
            it.number(call))
    it.load()


def no_exec(*calls):
    it = Filter(ALLOW)
    for call in calls:
        it.rule(errno_action(EACCES), it.number(call), Comparison(2, MASKED_EQUAL, 4, 4))
    it.load()


def mdwe():
    """PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN: Linux 6.3."""
    if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) != 0:
        state.say("unconfined")


def no_exec_mdwe():
    mdwe()
    no_exec("mmap")


def wait_poll():
    poller.poll(seconds * 1000)


def crowd():
    """As many modules as a second thread of the payload looks at the files of."""
    for number in range(300):
        spec = importlib.util.spec_from_file_location("crowd%d" % number, os.__file__)
        sys.modules[spec.name] = importlib.util.module_from_spec(spec)


mode, seconds = state.arguments()
poller = select.poll()
state.report(0.0)
MODES = {
    "docker": docker, "needed": needed, "none": int, "mdwe": mdwe, "no-exec-mdwe": no_exec_mdwe,
    "no-memfd": lambda: one_call("deny:memfd_create"),
    "no-memfd-exec": lambda: (one_call("deny:memfd_create"), no_exec("mmap")),
    "no-exec": lambda: no_exec("mmap"), "no-exec-at-all": lambda: no_exec("mmap", "mprotect"),
}
crowd()
MODES.get(mode, lambda: one_call(mode))()
state.say("confined")
while True:
    state.timed(wait_poll if mode == "kill:restart_syscall" else lambda: time.sleep(seconds))
