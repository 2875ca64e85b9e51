# SPDX-License-Identifier: MIT
"""A target under hostile conditions: conditions.py MODE SECONDS.

    signals    2000 signals a second, handled in Python
    blocked    blocks every signal that can be blocked
    frozen     all objects are in the collector's permanent generation
    traced     sys.settrace and sys.setprofile are in use, in threads too
    deep       waits as deep in calls of Python as the recursion limit allows
    nested     waits deep in calls of C and Python that alternate
    audit      an audit hook vetoes (3.8)
    nofile, nproc, as     at the resource limit of that name
    exec       holds the GIL in C, then replaces itself by exec
    exit       holds the GIL in C, then ends
    fork       forks without a break; each child looks at what it has inherited
"""
import collections
import functools
import gc
import itertools
import os
import resource
import signal
import sys
import threading
import time

import state

mode, seconds = state.arguments()


def wait():
    time.sleep(seconds)


def rounds():
    while True:
        state.timed(wait)


def signals():
    seen = [0]

    def count(number, frame):
        seen[0] += 1

    def wait_and_look():
        before = seen[0]
        wait()
        if seen[0] == before:
            state.say("CORRUPT: no signal in %s s" % seconds)

    signal.signal(signal.SIGALRM, count)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    while True:
        state.timed(wait_and_look)


def blocked():
    everything = getattr(signal, "valid_signals", lambda: range(1, signal.NSIG))()
    signal.pthread_sigmask(signal.SIG_SETMASK, everything)
    rounds()


def frozen():
    gc.collect()
    if hasattr(gc, "freeze"):
        gc.freeze()
    rounds()


def traced():
    calls = [0]

    def tracer(frame, event, argument):
        calls[0] += 1
        return tracer

    def profiler(frame, event, argument):
        calls[0] += 1

    def wait_and_look():
        wait()
        if sys.gettrace() is not tracer or sys.getprofile() is not profiler:
            state.say("CORRUPT: the tracer is gone")

    threading.settrace(tracer)
    threading.setprofile(profiler)
    sys.settrace(tracer)
    sys.setprofile(profiler)
    while True:
        state.timed(wait_and_look)


def deep(left=None):
    if left is None:
        left = sys.getrecursionlimit() - 60
    if left == 0:
        rounds()
    deep(left - 1)


def nested(left=150):
    if left == 0:
        rounds()
    functools.reduce(lambda a, b: nested(left - 1), [1, 2])


def audit():
    def hook(event, arguments):
        if event == "pyhotpatch.attach":
            raise PermissionError("not here")
    sys.addaudithook(hook)
    rounds()


def at_limit():
    if mode == "nofile":
        used = max(int(name) for name in os.listdir("/proc/self/fd"))
        os.close(os.open("/", os.O_RDONLY))
        resource.setrlimit(resource.RLIMIT_NOFILE, (used, used))
    elif mode == "nproc":
        resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
        os.setgid(65534)
        os.setuid(65534)
    else:
        with open("/proc/self/statm") as file:
            size = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + (2 << 20), size + (2 << 20)))
    rounds()


def work_in_c():
    """For a second or several, where there is no ctypes."""
    collections.deque(itertools.repeat(None, 100000000), maxlen=0)


def hold():
    """The GIL, and no bytecode in between: nobody gets it before the next line."""
    try:
        import ctypes
        wait_in_c = functools.partial(ctypes.PyDLL(None).usleep, 1500000)
    except ImportError:
        wait_in_c = work_in_c
    sys.setswitchinterval(100)
    state.say("holding")
    wait_in_c()


def replace():
    hold()
    os.execv(sys.executable, [sys.executable, "conditions.py", "blocked", str(seconds)])


def leave():
    hold()


def fork():
    kept = 0
    while True:
        child = os.fork()
        if child == 0:
            with open("/proc/self/maps") as file:
                mapped = "memfd:pyhotpatch" in file.read()
            os._exit(10 * mapped + len(os.listdir("/proc/self/task")))
        status = os.waitpid(child, 0)[1]
        kept += status == 11 << 8  # a fork that waited for the kernel to map it: see LIMITS
        if status not in (1 << 8, 11 << 8) or kept > 4:
            state.say("CORRUPT: a child ended with status %x" % status)
        state.report(0.0)


MODES = {"nofile": at_limit, "nproc": at_limit, "as": at_limit, "exec": replace, "exit": leave}
state.report(0.0)
MODES.get(mode, globals().get(mode))()
