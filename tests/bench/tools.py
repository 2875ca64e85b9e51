# SPDX-License-Identifier: MIT
"""The tools that are compared, each as a function of a target."""
import json
import os
import subprocess

from measure import wall_ms


class Tools:
    def __init__(self, build):
        self.program = os.path.join(build, "src", "pyhotpatch")
        self.payload = os.path.join(build, "payload", "payload.so")
        self.floor = os.path.join(build, "tests", "bench", "floor")
        self.library = os.path.join(build, "tests", "bench", "libnothing.so")

    def attach_ms(self, target):
        return wall_ms([self.program, "attach", "-q", str(target.pid)])

    def floor_ms(self, target):
        return wall_ms([self.floor, str(target.pid)])

    def floor_held_ms(self, target):
        return int(subprocess.check_output([self.floor, str(target.pid)])) / 1e6

    def attach(self, target):
        """The report of an attach that applied something or had nothing to do."""
        done = subprocess.run([self.program, "attach", "--json", str(target.pid)],
                              stdout=subprocess.PIPE, universal_newlines=True)
        report = json.loads(done.stdout)
        if done.returncode:
            raise RuntimeError("attach: %s" % report["error"])
        return report

    def pyinjector_works(self, python):
        """Whether it is installed for that interpreter. It ends with 0 whatever happens."""
        with subprocess.Popen([python, "-c", "import time; time.sleep(60)"]) as victim:
            done = subprocess.run(self.pyinjector_command(python, victim.pid),
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            victim.kill()
        return done.stdout.startswith(b"Handle:")

    def pyinjector_command(self, python, pid):
        """Unloads it again, for otherwise it would be there already the next time."""
        return [python, "-m", "pyinjector", "--uninject", str(pid), self.library]

    def pyinjector_ms(self, python, target):
        return wall_ms(self.pyinjector_command(python, target.pid))

    def gdb_calls(self, python):
        """Can gdb call functions? gdb 13 cannot where the vector state is larger than it knows (AMX:
        "Couldn't write extended state status"), and leaves the process with its GIL taken."""
        with subprocess.Popen([python, "-c", "import time; time.sleep(60)"]) as victim:
            done = subprocess.run(gdb_command(victim.pid, "pass"), stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            victim.kill()
        return done.returncode == 0

    def gdb_ms(self, target, code):
        """gdb -p and PyRun_SimpleString, as pyrasite does it."""
        return wall_ms(gdb_command(target.pid, code))


def gdb_command(pid, code):
    return ["gdb", "-nx", "-batch", "-p", str(pid),
            "-ex", "set $gil = ((int (*)(void)) PyGILState_Ensure)()",
            "-ex", 'call ((int (*)(const char *)) PyRun_SimpleString)("%s")' % code,
            "-ex", "call ((void (*)(int)) PyGILState_Release)($gil)"]


# What a person would type to have one module anew: the cheapest of what gdb can be made to do.
RELOAD = "import sys, importlib; importlib.reload(sys.modules['%s'])"
NOTHING = "import os, sys; [os.stat(m.__file__) for n, m in list(sys.modules.items()) " \
          "if n.startswith('bench.m')]"
