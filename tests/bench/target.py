# SPDX-License-Identifier: MIT
"""Starts a victim on a tree of modules of its own, and edits that tree."""
import json
import os
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
MODULE = '''"""Module %(number)d of many."""
import collections

LIMIT = %(number)d
seen = collections.OrderedDict()


class Thing:
    size = LIMIT

    def __init__(self, name="thing"):
        self.name = name

    def describe(self):
        return "%%s of %%d" %% (self.name, self.size)


def answer():
    return %(answer)r


def total(things):
    return sum(thing.size for thing in things)
'''
MOVED = '''class Meta(type):
    pass


class Moved%(meta)s:
    def tag(self):
        return %(tag)r


class Slotted%(meta)s:
    __slots__ = ("x",)

    def tag(self):
        return %(tag)r
'''
BIG = '''def f%d(a, b=%d):
    """One of many."""
    total = 0
    for x in range(a):
        total += x * b + %r
        if total > 100:
            break
    return total


'''


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


class Target:
    def __init__(self, python, folder, modules=0, objects=0):
        self.package = os.path.join(folder, "bench")
        os.makedirs(self.package, exist_ok=True)
        write(os.path.join(self.package, "__init__.py"), "")
        write(os.path.join(self.package, "moved.py"), MOVED % {"meta": "", "tag": "old"})
        for number in range(modules):
            self.edit(number, "v0")
        # A metaclass that was added is seen by the old code: in the .pyc.
        environment = dict(os.environ)
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self.process = subprocess.Popen(
            [python, os.path.join(HERE, "victim.py"), folder, str(modules), str(objects)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, universal_newlines=True, env=environment)
        self.pid = self.process.pid
        self.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(timeout=60)

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the victim ended with %s" % self.process.wait())
        return json.loads(line)

    def tell(self, *command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def ask(self, *command):
        self.tell(*command)
        return self.read()

    def edit(self, number, answer):
        """Module `number` as it is when its answer() is `answer`."""
        write(os.path.join(self.package, "m%04d.py" % number),
              MODULE % {"number": number, "answer": answer})

    def edit_moved(self, is_new):
        """The class whose instances must move: it gets a metaclass, which no class can take in
        place."""
        write(os.path.join(self.package, "moved.py"),
              MOVED % {"meta": "(metaclass=Meta)" if is_new else "",
                       "tag": "new" if is_new else "old"})

    def edit_big(self, version):
        """A module of 10,000 lines of which one function and one name are of this version."""
        path = os.path.join(self.package, "big.py")
        write(path, "".join(BIG % (i, i, version if i == 500 else 1) for i in range(1000)) +
              "VERSION = %r\n" % version)
        return path

    def cpu_ms(self):
        """The CPU time of all its threads, also those that have ended. The clock is the one that
        clock_getcpuclockid(3) names, which Python does not have for processes."""
        return time.clock_gettime(~self.pid << 3 | 2) * 1e3

    def memory(self):
        """Resident KiB, mappings and descriptors."""
        with open("/proc/%d/status" % self.pid) as f:
            resident = next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))
        with open("/proc/%d/maps" % self.pid) as f:
            mappings = sum(1 for _ in f)
        return resident, mappings, len(os.listdir("/proc/%d/fd" % self.pid))
