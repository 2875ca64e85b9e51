# SPDX-License-Identifier: MIT
"""A target that has every descriptor open that it may have: crowded.py MODE SECONDS."""
import os
import resource
import time

import state

mode, seconds = state.arguments()
state.report(0.0)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
kept = []
try:
    while True:
        kept.append(os.dup(0))
except OSError:
    state.say("crowded")
while True:
    state.timed(lambda: time.sleep(seconds))
