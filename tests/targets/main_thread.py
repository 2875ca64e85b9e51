# SPDX-License-Identifier: MIT
"""A target for what is to run on its main thread: main_thread.py MODE SECONDS.

    rounds     sleeps, round after round
    late       executes no Python on its main thread for so long, then rounds
    forks      the same, and meanwhile another thread forks children that execute Python
"""
import os
import sys
import threading
import time

import state

mode, seconds = state.arguments()


def fork_for(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        child = os.fork()
        if not child:
            for _ in range(20000):
                pass
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        if status:
            state.say("CORRUPT: a child ended with %d" % status)
        time.sleep(0.01)


def wait():
    time.sleep(seconds)


state.report(0.0)
if mode == "forks":
    threading.Thread(target=fork_for, args=(seconds - 0.3,), daemon=True).start()
if mode != "rounds":
    time.sleep(seconds)
    seconds = 0.1
while True:
    state.timed(wait)
