# SPDX-License-Identifier: MIT
"""What the target holds in memory, and how it says so: one line a round.

    round N elapsed SECONDS answers V V V V

It is never edited. The references are taken once, so that an update has to follow them.
"""
import hashlib
import math
import os
import sys
import time

import edited
import second
from edited import answer

DATA = bytes(bytearray(range(256))) * 256
held = second.Derived()
held_method = held.method
rounds = -1


def compute():
    """The same every time, through general and vector registers."""
    total = 0.1
    for step in range(300):
        total = math.sin(total) * 1.000001 + step * 0.25
    copy = bytearray(DATA)
    copy.extend(DATA)
    return hashlib.sha256(copy).hexdigest(), total, copy.count(b"\x07"), copy.find(b"\xff\x00\x02")


EXPECTED = compute()


def verify():
    found = compute()
    if found != EXPECTED:
        say("CORRUPT %r instead of %r" % (found, EXPECTED))
        os._exit(70)


def say(text):
    """One write, so that lines of several threads never mix."""
    os.write(1, (text + "\n").encode())


def report(elapsed):
    global rounds
    verify()
    rounds += 1
    say("round %d elapsed %.6f answers %s %s %s %s %s" % (
        rounds, elapsed, answer(), edited.answer(), held_method(), held.own(), second.answer()))


def timed(wait):
    """Report how long wait() took; its result is not looked at."""
    began = time.monotonic()
    wait()
    report(time.monotonic() - began)


def arguments():
    """The mode, and the seconds that a wait should last."""
    return sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 1.0
