#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The Ansible role against local processes: try_ansible.py PYHOTPATCH PLAYBOOK

Three "hosts" on this machine, each with a source file and a process of its own. TAP.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

program, playbook = map(os.path.abspath, sys.argv[1:3])
HOSTS = ("one", "two", "three")
LOOP = """import os
import time
import app
while True:
    with open("answer.new", "w") as f:
        f.write(app.answer())
    os.rename("answer.new", "answer")
    time.sleep(0.05)
"""
SOURCE = "def answer():\n    return %r\n"


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def read(path):
    with open(path) as f:
        return f.read()


class Host:
    def __init__(self, folder, name):
        self.name, self.folder = name, os.path.join(folder, name)
        os.mkdir(self.folder)
        write(os.path.join(self.folder, "app.py"), SOURCE % "old")
        write(os.path.join(self.folder, "run.py"), LOOP)
        self.process = subprocess.Popen([sys.executable, "run.py", self.folder], cwd=self.folder)
        self.wait_for("old")

    def answers(self):
        try:
            return read(os.path.join(self.folder, "answer"))
        except OSError:
            return ""

    def wait_for(self, answer):
        end = time.monotonic() + 10
        while self.answers() != answer and time.monotonic() < end:
            time.sleep(0.05)
        return self.answers() == answer

    def source(self):
        return read(os.path.join(self.folder, "app.py"))

    def stray(self):
        """Copies that the role left behind."""
        return [name for name in os.listdir(self.folder) if name.startswith("app.py.")]


def play(folder, hosts, source):
    """Ansible's exit status and output, with `source` as the new app.py of every host."""
    write(os.path.join(folder, "app.py"), source)
    inventory = {"all": {"hosts": {host.name: {
        "ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3",
        "pyhotpatch_program": program, "pyhotpatch_processes": ["--match", "run.py %s$" % host.folder],
        "pyhotpatch_files": [{"src": os.path.join(folder, "app.py"),
                              "dest": os.path.join(host.folder, "app.py")}],
    } for host in hosts}}}
    write(os.path.join(folder, "inventory.json"), json.dumps(inventory))
    done = subprocess.run(["ansible-playbook", "-i", os.path.join(folder, "inventory.json"), playbook],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True,
                          env={**os.environ, "ANSIBLE_LOCALHOST_WARNING": "False", "LC_ALL": "C.UTF-8",
                               "ANSIBLE_HOME": os.path.join(folder, "home")})
    return done.returncode, done.stdout


def checks(folder, hosts):
    """(what, whether it is so, what was printed)."""
    status, output = play(folder, hosts, SOURCE % "new")
    yield "every host takes the change", status == 0 and all(h.wait_for("new") for h in hosts), output
    yield "no copy of the old file stays", not any(host.stray() for host in hosts), output

    hosts[1].process.kill()
    hosts[1].process.wait()
    status, output = play(folder, hosts, SOURCE % "newer")
    yield "a host that fails ends the play", status != 0 and "process" in output, output
    yield "the hosts before it have the change", hosts[0].wait_for("newer"), output
    yield "its files are put back", hosts[1].source() == SOURCE % "new", output
    yield "the hosts behind it are untouched", hosts[2].answers() == "new" and \
        hosts[2].source() == SOURCE % "new", output

    status, output = play(folder, hosts[:1] + hosts[2:], "def answer(:\n")
    yield "new source that does not compile is shown", status != 0 and "SyntaxError" in output, output
    yield "and changes nothing", hosts[0].answers() == "newer" and \
        hosts[0].source() == SOURCE % "newer", output


def main():
    if not shutil.which("ansible-playbook"):
        print("1..1\nok 1 - ansible # SKIP there is no ansible-playbook here")
        return 0
    failed = 0
    hosts = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            hosts += [Host(folder, name) for name in HOSTS]
            for number, (what, is_so, output) in enumerate(checks(folder, hosts), 1):
                failed += not is_so
                print("%s %d - %s" % ("ok" if is_so else "not ok", number, what), flush=True)
                if not is_so:
                    print("".join("# %s\n" % line for line in output.splitlines()[-40:]))
        finally:
            for host in hosts:
                host.process.kill()
                host.process.wait()
    print("1..%d" % number)
    return 1 if failed else 0


sys.exit(main())
