# SPDX-License-Identifier: MIT
"""The process that is measured: victim.py FOLDER MODULES OBJECTS

Imports FOLDER/bench/m0000.py and so on, fills the heap with so many objects that the collector
knows, and does what it is told, a line of JSON a command: the name of a function below and its
arguments. Answers with a line of JSON each.
"""
import asyncio
import gc
import importlib
import json
import os
import sys
import threading
import time

folder, modules, objects = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
kept = {}


def largest_gap(seconds):
    """How long this thread was kept from running at the longest, in ms, while it did nothing but
    look at the clock; told first that it has begun."""
    print(json.dumps("looking"), flush=True)
    clock = time.perf_counter_ns
    before, largest = clock(), 0
    end = before + int(seconds * 1e9)
    while before < end:
        now = clock()
        if now - before > largest:
            largest = now - before
        before = now
    return largest / 1e6


def loop_delay(seconds):
    """How late a loaded asyncio loop was at the longest, in ms; told first that it has begun."""
    worst = 0.0

    async def serve(end):
        while time.monotonic() < end:
            json.loads(json.dumps(list(range(100))))
            await asyncio.sleep(0.002)

    async def tick(end):
        nonlocal worst
        while time.monotonic() < end:
            due = time.monotonic() + 0.001
            await asyncio.sleep(0.001)
            worst = max(worst, time.monotonic() - due)

    async def run():
        end = time.monotonic() + seconds
        await asyncio.gather(tick(end), *[serve(end) for _ in range(8)])

    print(json.dumps("looking"), flush=True)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(run())
    loop.close()
    return worst * 1e3


def while_compiling(look, seconds, path):
    """What `look` sees while another thread compiles the file."""
    with open(path) as f:
        source = f.read()
    timer = threading.Timer(seconds / 4, compile, (source, path, "exec"))
    timer.start()
    result = globals()[look](seconds)
    timer.join()
    return result


def stat_all():
    """What os.stat of every module's file costs, in ms."""
    began = time.perf_counter_ns()
    for name, module in list(sys.modules.items()):
        if name.startswith("bench.m"):
            os.stat(module.__file__)
    return (time.perf_counter_ns() - began) / 1e6


def compile_of(name):
    """What compile() of the module's source costs, in ms."""
    path = sys.modules[name].__file__
    with open(path) as f:
        source = f.read()
    began = time.process_time_ns()
    compile(source, path, "exec")
    return (time.process_time_ns() - began) / 1e6


def stat_and_compile(name):
    """The CPU time that stat_all() and compile_of() take, in ms."""
    began = time.process_time_ns()
    stat_all()
    return (time.process_time_ns() - began) / 1e6 + compile_of(name)


def make_instances(count, name="Moved"):
    moved = importlib.import_module("bench.moved")
    kept["instances"] = [getattr(moved, name)() for _ in range(count)]
    return count


def instances_of(name):
    """Of the class that has got the metaclass, not only a new method."""
    return sum(type(o).__name__ == name and type(type(o)).__name__ == "Meta" and o.tag() == "new"
               for o in kept["instances"])


def move_by_referrers(count, has_slots=False):
    """What every reloader written in Python does for its instances, in ms."""
    body = {"__slots__": ("x",)} if has_slots else {}
    Old, New = type("Old", (), dict(body)), type("New", (), dict(body))
    made = [Old() for _ in range(count)]
    began = time.perf_counter_ns()
    for referrer in gc.get_referrers(Old):
        if type(referrer) is Old:
            referrer.__class__ = New
    took = (time.perf_counter_ns() - began) / 1e6
    assert all(type(o) is New for o in made)
    return took


def import_big():
    importlib.import_module("bench.big")


def answer_of(name):
    return sys.modules[name].answer()


sys.path.insert(0, folder)
for number in range(modules):
    importlib.import_module("bench.m%04d" % number)
kept["heap"] = [[] for _ in range(objects)]
print(json.dumps("ready"), flush=True)
for line in sys.stdin:
    command = json.loads(line)
    print(json.dumps(globals()[command[0]](*command[1:])), flush=True)
