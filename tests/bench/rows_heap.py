# SPDX-License-Identifier: MIT
"""What depends, or must not depend, on the size of the heap: stalls, migration, what stays."""
import statistics
import time

from measure import Row, in_turns

HEAPS = (10_000, 1_000_000, 10_000_000)


def gap_during(bench, target, change):
    """The largest gap that a busy thread sees in half a second with an attach in its middle."""
    target.tell("largest_gap", 0.5)
    assert target.read() == "looking"
    time.sleep(0.1)
    if change:
        change()
        bench.tools.attach(target)
    return target.read()


def stall(bench):
    commits = {}
    for objects in HEAPS[:2] if bench.is_quick else HEAPS:
        with bench.target(modules=100, objects=objects) as target:
            edits = iter(range(10**6))

            def edit_all():
                version = next(edits)
                for number in range(100):
                    target.edit(number, "edit %d" % version)

            disturbed, quiet = in_turns(
                max(3, bench.rounds // 3), lambda: gap_during(bench, target, edit_all),
                lambda: gap_during(bench, target, None))
            yield Row("stall", "largest gap of a busy thread, 100 functions changed, %g objects"
                      % objects, "ms", disturbed, quiet, "no attach")
            commits[objects] = []
            for _ in range(max(3, bench.rounds // 3)):
                edit_all()
                commits[objects].append(bench.tools.attach(target)["timings_ms"]["commit"])
    smallest, largest = min(commits), max(commits)
    yield Row("stall", "commit of 100 functions, %g objects" % largest, "ms", commits[largest],
              commits[smallest], "%g objects" % smallest, ("<=", 1.5))
    yield Row("stall", "commit of 100 functions, %g objects" % largest, "ms", commits[largest],
              [1.0], "1 ms", ("<=", 1))


def compiling(bench):
    """How long others are kept from running when a module of 10,000 lines changed: not longer
    than the interpreter's own compile() of it keeps them."""
    with bench.target() as target:
        version = 2
        path = target.edit_big(version)
        target.ask("import_big")

        def during_attach(look):
            nonlocal version
            version += 1
            target.edit_big(version)
            target.tell(look, 2.0)
            assert target.read() == "looking"
            time.sleep(0.5)
            bench.tools.attach(target)
            return target.read()

        def during_compile(look):
            target.tell("while_compiling", look, 2.0, path)
            assert target.read() == "looking"
            return target.read()

        for look, subject in (("largest_gap", "largest gap of a busy thread"),
                              ("loop_delay", "largest delay of a loaded asyncio loop")):
            ours, theirs = in_turns(max(3, bench.rounds // 3), lambda: during_attach(look),
                                    lambda: during_compile(look))
            yield Row("stall", "%s, 10,000 lines changed" % subject, "ms", ours, theirs,
                      "compile() of them in a thread", ("<=", 1.25))


def migration(bench):
    for name in ("Moved", "Slotted"):
        yield from moving(bench, name)


def moving(bench, name):
    """The class gets a metaclass, for which reloaders in Python move every instance."""
    kind = "with slots" if name == "Slotted" else "with a dict"
    times = {}
    for count in (10_000, 100_000) if bench.is_quick else (10_000, 100_000, 1_000_000):
        ours, theirs = [], []
        for _ in range(max(3, bench.rounds // 3)):
            with bench.target() as target:
                target.ask("make_instances", count, name)
                target.edit_moved(True)
                timings = bench.tools.attach(target)["timings_ms"]
                ours.append(timings["plan"] + timings["commit"])
                if target.ask("instances_of", name) != count:
                    raise RuntimeError("not every instance has the new definition")
                theirs.append(target.ask("move_by_referrers", count, name == "Slotted"))
        times[count] = ours
        yield Row("migration", "another metaclass, %d instances %s" % (count, kind), "ms", ours,
                  theirs, "a loop over gc.get_referrers", ("<=", 1 / 20) if count == 10**6 else None)
    few, many = min(times), max(times)
    yield Row("migration", "another metaclass, %d instances %s" % (many, kind), "ms", times[many],
              times[few], "%d instances" % few, ("<=", 1.5 * many / few))


def flat(bench):
    """Memory, mappings and descriptors after many attaches against after few."""
    attaches = 100 if bench.is_quick else 1000
    with bench.target(modules=50) as target:
        def attach(number):
            target.edit(7, "%06d" % number)
            bench.tools.attach(target)

        for number in range(50):
            attach(number)
        before = target.memory()
        for number in range(attaches):
            attach(number)
        after = target.memory()
    for name, unit, ours, theirs in zip(("resident memory", "mappings", "descriptors"),
                                        ("KiB", "", ""), after, before):
        yield Row("flat", "%s after %d attaches, each with a change" % (name, attaches + 50), unit,
                  [ours], [theirs], "after 50", ("<=", 1.02))


ROWS = {"stall": stall, "compiling": compiling, "migration": migration, "flat": flat}
