# SPDX-License-Identifier: MIT
"""The attach itself: end to end, how long a thread is held, what finding the change costs."""
import statistics

from measure import Row, in_turns
from target import Target
from tools import NOTHING, RELOAD


def toggling(target, number, after):
    """Edits the module before each call of `after`."""
    state = {"edits": 0}

    def call():
        state["edits"] += 1
        target.edit(number, "v%d" % state["edits"])
        return after()

    return call


def beside_pyinjector(bench):
    """It loads a library, and knows nothing of Python: what to do is left to the library."""
    if not bench.tools.pyinjector_works(bench.python):
        print("pyinjector is not installed for %s: its row is left out" % bench.python, flush=True)
        return
    with bench.target(modules=500) as target:
        ours, theirs = in_turns(bench.rounds * 3, lambda: bench.tools.attach_ms(target),
                                lambda: bench.tools.pyinjector_ms(bench.python, target))
    yield Row("end to end", "attach, nothing changed, 500 modules", "ms", ours, theirs,
              "pyinjector, loading a library", ("<=", 1 / 10))


def end_to_end(bench):
    yield from beside_pyinjector(bench)
    has_gdb = bench.tools.gdb_calls(bench.python)
    if not has_gdb:
        print("gdb cannot call functions on this machine: its rows are left out", flush=True)
    for modules in (50, 500, 2000):
        with bench.target(modules=modules) as target:
            sides = [lambda: bench.tools.attach_ms(target), lambda: bench.tools.floor_ms(target),
                     lambda: bench.tools.gdb_ms(target, NOTHING)]
            ours, floor, *gdb = in_turns(bench.rounds, *sides[:2 + has_gdb])
            subject = "attach, nothing changed, %d modules" % modules
            goal = ("<=", 3) if modules == 500 else None
            yield Row("end to end", subject, "ms", ours, floor, "bare SEIZE+INTERRUPT+DETACH", goal)
            if not has_gdb:
                continue
            goal = ("<=", 1 / 50) if modules == 500 else None
            yield Row("end to end", subject, "ms", ours, gdb[0], "gdb, PyRun_SimpleString", goal)
            number = modules - 1
            ours, reload = in_turns(
                bench.rounds, toggling(target, number, lambda: bench.tools.attach_ms(target)),
                toggling(target, number,
                         lambda: bench.tools.gdb_ms(target, RELOAD % ("bench.m%04d" % number))))
            yield Row("end to end", "attach, one function changed, %d modules" % modules, "ms",
                      ours, reload, "gdb, importlib.reload of that module")


def held(bench):
    with bench.target(modules=500) as target:
        ours, floor = in_turns(bench.rounds * 5,
                               lambda: bench.tools.attach(target)["timings_ms"]["held"],
                               lambda: bench.tools.floor_held_ms(target))
    yield Row("held", "a thread held by ptrace, median", "ms", ours, floor,
              "bare SEIZE+INTERRUPT+DETACH", ("<=", 5))
    slowest = statistics.quantiles(ours, n=100, method="inclusive")[98]
    yield Row("held", "a thread held by ptrace, 99th percentile", "ms", [slowest], [2.0],
              "2 ms", ("<=", 1))


def finding(bench):
    """What the target spends on looking through 2000 modules when one of them changed."""
    with bench.target(modules=2000) as target:
        def find():
            timings = bench.tools.attach(target)["timings_ms"]
            return timings["select"] + timings["compile"]

        ours, stat = in_turns(bench.rounds, find, lambda: target.ask("stat_all"))
        yield Row("finding", "find that nothing changed among 2000 modules", "ms", ours, stat,
                  "os.stat of each in Python", ("<=", 1))

        def apply():
            before = target.cpu_ms()
            bench.tools.attach(target)
            return target.cpu_ms() - before

        ours, least = in_turns(bench.rounds, toggling(target, 1000, apply),
                               lambda: target.ask("stat_and_compile", "bench.m1000"))
        more = [a - b for a, b in zip(ours, least)]
        yield Row("finding", "apply one function of 2000 modules: CPU of the target, beyond "
                  "os.stat of each and compile() of the one", "ms", more, [2.0], "2 ms",
                  ("<=", 1))


def floors(bench):
    """What it costs to start at all, and how large the payload is."""
    from measure import wall_ms
    start, = in_turns(bench.rounds * 5, lambda: wall_ms([bench.tools.program, "--version"]))
    yield Row("size", "start of the program (--version)", "ms", start, [2.0], "2 ms", ("<=", 1))
    size = bench.payload_size() / 1024
    yield Row("size", "the payload: what a target gets of it", "KiB", [size], [200.0], "200 KiB",
              ("<=", 1))


ROWS = {"end-to-end": end_to_end, "held": held, "finding": finding, "size": floors}
