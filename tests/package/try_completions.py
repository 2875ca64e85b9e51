#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The completions, in the shells that they are for: try_completions.py PYHOTPATCH COMPLETIONS

Types a beginning into bash, zsh and fish and looks at what the shell makes of it. TAP. What is
completed is compared with what --help says, so that no list of options stands here either.
"""
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

program, completions = map(os.path.abspath, sys.argv[1:3])


def commands():
    text = subprocess.check_output([program, "--help"], universal_newlines=True)
    part = text.split("Commands:\n")[1].split("\n\n")[0]
    return {line.split()[0] for line in part.split("\n") if re.match(r"  [a-z]", line)}


def options(command):
    text = subprocess.check_output([program, command, "--help"], universal_newlines=True)
    return set(re.findall(r"^ {2,6}(?:-., )?(--[a-z-]+)", text, re.M))


def environment():
    return {**os.environ, "PATH": os.path.dirname(program) + ":" + os.environ["PATH"],
            "TERM": "dumb", "COLUMNS": "200"}


def bash(words):
    """What bash has in COMPREPLY after the words, the last of which is being typed."""
    script = """source %s/pyhotpatch.bash
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_pyhotpatch "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%%s\\n' "${COMPREPLY[@]}" """ % completions
    out = subprocess.run(["bash", "-c", script, "bash"] + words, env=environment(),
                         stdout=subprocess.PIPE, universal_newlines=True).stdout
    return set(out.split())


def fish(words):
    script = "source %s/pyhotpatch.fish; complete -C '%s'" % (completions, " ".join(words))
    out = subprocess.run(["fish", "--no-config", "-c", script], env=environment(),
                         stdout=subprocess.PIPE, universal_newlines=True).stdout
    return {line.split("\t")[0].rstrip("=") for line in out.splitlines()}


def zsh(words):
    """zsh completes only at a prompt: type into one, ask for the list, read the screen."""
    with tempfile.TemporaryDirectory() as home:
        with open(os.path.join(home, ".zshrc"), "w") as f:
            f.write("fpath=(%s $fpath)\nautoload -Uz compinit\ncompinit -u -D\n"
                    "setopt no_list_ambiguous\nLISTMAX=1000\nPS1='READY> '\n"
                    "bindkey '^X' list-choices\nzstyle ':completion:*' list-prompt ''\n"
                    % completions)
        pid, terminal = pty.fork()
        if pid == 0:
            os.execvpe("zsh", ["zsh", "-i"], {**environment(), "ZDOTDIR": home, "LINES": "200"})
        try:
            read_until(terminal, b"READY> ")
            os.write(terminal, " ".join(words).encode() + b"\x18")
            text = read_for(terminal, 3)
        finally:
            os.close(terminal)
            os.waitpid(pid, 0)
    return set(re.findall(r"(?<!\S)([\w-]+)=?(?=\s|$)", text))


def read_until(terminal, mark):
    data, end = b"", time.monotonic() + 20
    while mark not in data and time.monotonic() < end:
        if select.select([terminal], [], [], 0.2)[0]:
            data += os.read(terminal, 65536)
    return data


def read_for(terminal, seconds):
    data, end = b"", time.monotonic() + seconds
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.3)[0]:
            data += os.read(terminal, 65536)
    return re.sub(r"\x1b\[[\d;?]*[A-Za-z]|\r", " ", data.decode(errors="replace"))


def main():
    shells = [(name, ask) for name, ask in (("bash", bash), ("zsh", zsh), ("fish", fish))]
    print("1..%d" % (4 * len(shells)))
    number = failed = 0
    sleeper = subprocess.Popen(["/usr/bin/python3", "-c",
                                "import time; print('up', flush=True); time.sleep(60)"],
                               stdout=subprocess.PIPE)
    sleeper.stdout.readline()
    try:
        for name, ask in shells:
            for what, words, wanted in (
                    ("commands", ["pyhotpatch", ""], commands()),
                    ("options of attach", ["pyhotpatch", "attach", "--"], options("attach")),
                    ("one option", ["pyhotpatch", "attach", "--verb"], {"--verbose"}),
                    ("processes", ["pyhotpatch", "attach", ""], {str(sleeper.pid)})):
                number += 1
                if not shutil.which(name):
                    print("ok %d - %s: %s # SKIP there is no %s here" % (number, name, what, name))
                    continue
                found = ask(words)
                if what == "one option":
                    is_right = found & options("attach") == wanted
                else:
                    is_right = wanted <= found
                failed += not is_right
                print("%s %d - %s: %s" % ("ok" if is_right else "not ok", number, name, what))
                if not is_right:
                    print("# wanted: %s\n# found: %s" % (sorted(wanted), sorted(found)[:60]))
    finally:
        sleeper.kill()
        sleeper.wait()
    return 1 if failed else 0


sys.exit(main())
