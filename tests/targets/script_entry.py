# SPDX-License-Identifier: MIT
"""A target for the interpreter's own remote execution: script_entry.py MODE SECONDS.

    rounds     sleeps, round after round
    late       executes no Python on its main thread for so long, then rounds
    ticks      a signal's handler raises exceptions, each of which must arrive in the program
    audit      an audit hook forbids scripts
    bare       has no _ctypes
    inside     its main thread is always in a function of the allocator (allocator.c)
"""
import signal
import sys
import time

import state

mode, seconds = state.arguments()


class Tick(Exception):
    pass


armed = False
raised = caught = inside = 0


def tick(number, frame):
    """`inside`: how many were raised in the middle of a script of pyhotpatch's. What is raised before
    its first line nobody can catch: the interpreter prints it, as for any script (LIMITS)."""
    global armed, raised, inside
    in_script = frame.f_code.co_filename == "<string>"
    if armed and not (in_script and frame.f_lineno == 0):
        armed = False
        raised += 1
        inside += in_script
        raise Tick(raised)


def ticks():
    global armed, caught
    signal.signal(signal.SIGALRM, tick)
    signal.setitimer(signal.ITIMER_REAL, 0.011, 0.011)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            armed = True
            for _ in range(3000):
                pass
            armed = False
            for _ in range(100): # where one that was raised in a script is raised again
                pass
        except Tick as error:
            caught += 1
            if error.args != (raised,):
                state.say("CORRUPT: %r is not the last one, %d" % (error, raised))
        if caught != raised:
            state.say("CORRUPT: %d raised, %d caught" % (raised, caught))
    signal.setitimer(signal.ITIMER_REAL, 0)
    state.say("ticks %d inside %d" % (raised, inside))


def forbid(event, arguments):
    if event == "cpython.remote_debugger_script":
        raise RuntimeError("not here")


def wait():
    time.sleep(seconds)


if mode == "audit":
    sys.addaudithook(forbid)
if mode == "bare":
    sys.modules["_ctypes"] = None


def rounds():
    global seconds
    state.report(0.0)
    if mode == "late":
        time.sleep(seconds)
        seconds = 0.1
    while True:
        state.timed(ticks if mode == "ticks" else wait)


if mode == "inside":
    import ctypes

    body = ctypes.PYFUNCTYPE(None)(rounds)
    ctypes.PyDLL(None).run_inside(body)
rounds()
