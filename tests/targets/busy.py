# SPDX-License-Identifier: MIT
"""A target that works: busy.py MODE. It checks its own results and reports each round.

    python   the interpreter's loop
    hash     C code without the GIL
    sort     C code that holds the GIL
    threads  four threads of the above
    storm    threads that allocate, load libraries, start threads and import, all the time
    alone    one thread that allocates, loads libraries and imports
    hold SECONDS   prints "holding", then holds the GIL in one C call for about so long, once
"""
import collections
import hashlib
import importlib
import importlib.util
import itertools
import random
import sys
import threading
import time

import state

try:
    import _ctypes
except ImportError:
    _ctypes = None

mode, seconds = state.arguments()


def work_python():
    began, total = time.monotonic(), 0
    while time.monotonic() - began < 0.02:
        for i in range(500):
            total += i * i
    state.verify()


def work_hash():
    big = bytes(8 << 20)
    if hashlib.sha1(big).hexdigest() != BIG_HASH:
        state.say("CORRUPT hash")


def work_sort():
    copy = list(NUMBERS)
    copy.sort()
    if copy != SORTED:
        state.say("CORRUPT order")


def for_ever(work):
    while True:
        work()


def allocate(kept):
    for size in (10, 100, 1000, 5000, 20000, 140000, 600000):
        kept.append(bytearray(size))
    kept.append([str(i) for i in range(50)])


def load(ctypes):
    """dlopen and dlclose."""
    handle = ctypes.dlopen("libm.so.6", 2)
    ctypes.dlclose(handle)


def import_again():
    for name in IMPORTED:
        sys.modules.pop(name, None)
        importlib.import_module(name)


def storm_allocate():
    kept = collections.deque(maxlen=200)
    while True:
        allocate(kept)


def storm_load():
    while _ctypes:
        load(_ctypes)
        state.verify()


def storm_start():
    while True:
        started = [threading.Thread(target=state.compute) for _ in range(3)]
        for thread in started:
            thread.start()
        for thread in started:
            thread.join()


def storm_import():
    while True:
        import_again()


def work_alone():
    for _ in range(30):
        allocate(KEPT)
        if _ctypes:
            load(_ctypes)
    import_again()
    state.verify()


def hold():
    """Holds the GIL in one C call, calibrated to at least `seconds` by the quickest of a few."""
    def burn(count):
        began = time.monotonic()
        collections.deque(itertools.repeat(None, count), maxlen=0)
        return time.monotonic() - began
    quickest = min(burn(2000000) for _ in range(5))
    state.say("holding")
    burn(int(2000000 * seconds / quickest))


BIG_HASH = hashlib.sha1(bytes(8 << 20)).hexdigest()
KEPT = collections.deque(maxlen=200)
# zlib is not in each build.
IMPORTED = [name for name in ("fractions", "colorsys", "zlib", "csv", "_csv", "unicodedata")
            if name != "zlib" or importlib.util.find_spec(name)]
NUMBERS = list(range(60000))
random.Random(8).shuffle(NUMBERS)
SORTED = sorted(NUMBERS)
WORK = {"python": work_python, "hash": work_hash, "sort": work_sort, "threads": work_python,
        "storm": work_python, "hold": work_python, "alone": work_alone}

state.report(0.0)
if mode == "hold":
    hold()
if mode == "threads":
    for other in (work_python, work_hash, work_sort):
        threading.Thread(target=for_ever, args=(other,), daemon=True).start()
if mode == "storm":
    for other in (storm_allocate, storm_load, storm_start, storm_import):
        threading.Thread(target=other, daemon=True).start()
while True:
    state.timed(WORK[mode])
