#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The cases of tests/payload through the whole program: each in a process of its own, which
`pyhotpatch` enters with ptrace for every command of the case. Prints TAP.

run_outside.py PYHOTPATCH [--python [ROOT:]EXE]... [-j N] [CASE...]

Each case runs on all interpreters found, or on those named, by option or in PYHOTPATCH_INTERPRETERS,
which may live in another root, where our files are at the same places. One that cannot run from
outside says why.
"""
import argparse
import concurrent.futures
import glob
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
INSIDE = os.path.join(os.path.dirname(HERE), 'payload')
sys.path.insert(0, INSIDE)
import run_cases  # noqa: E402

SECONDS = 150
CASE_SECONDS = 600
# For an attach; a debug build that compiles half of the standard library takes its time.
ATTACH_SECONDS = '120'
# What in a case's text only the inside knows: pattern, reason.
NOT_OUTSIDE = [
    (r'\bcancel\(|^### \w+ cancelled|\bsilent\b', 'it cancels the channel by hand'),
    (r'^### .*\btogether=', 'it decides by hand for several processes'),
    (r"^### \w+ .*\bfail=|'fail=", 'it makes writes of the payload fail'),
    (r'^### sources', 'it asks for what only watch asks for'),
    (r'^### plan\b', 'it looks at the records of a plan'),
    (r'\bversion=\d', 'it speaks another version of the contract'),
    (r'\bnested\(', 'it starts interpreters of its own'),
    (r'\br\.value / 1e9|\bheader\[', 'it looks at times as the payload gives them'),
    (r'\bon-main-thread\b', 'its main thread waits for our answer in C'),
    (r'\bChannel\(|\bchannel\(|\bserve\b|libc\b', 'it calls the payload itself'),
]
# What a case needs of the interpreter that a small build lacks: pattern, module.
NEEDED = [(r'\bctypes\b', 'ctypes'), (r'\bssl\b', 'ssl'), (r'ZIP_DEFLATED', 'zlib')]


def command_of(word):
    """[ROOT:]EXE, to be run."""
    root, _, path = word.rpartition(':')
    return ['chroot', root, path] if root else [path]


def lacking(command):
    """Which of the modules above it has not."""
    return {module for _, module in NEEDED
            if subprocess.run(command + ['-S', '-c', 'import ' + module],
                              stderr=subprocess.DEVNULL).returncode != 0}


def why_not(text, commands):
    """The reason for which the case cannot run from outside, or None."""
    for pattern, reason in NOT_OUTSIDE:
        if re.search(pattern, text, re.M):
            return reason
    for command in re.findall(r'^### (plan|rollback|status|forget)\b', text, re.M):
        if command not in commands:
            return 'pyhotpatch has no `%s` yet' % command
    return None


def run_program(pyhotpatch, request):
    """A line for the case: what --json says."""
    pid, command, words = request
    options = ['--timeout', ATTACH_SECONDS]
    for word in words:
        key, _, value = word.partition('=')
        if key in ('module', 'path', 'to'):
            options += ['--' + key, value]
        elif key in ('rerun', 'when-idle'):
            options.append('--' + key)
        elif key == 'timeout':
            options += ['--timeout', str(int(value) / 1000)]
        elif key not in ('threads', 'since'):
            return json.dumps({'problem': 'no option of the program for ' + word})
    done = subprocess.run([pyhotpatch, command, '--json'] + options + [str(pid)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=SECONDS,
                          universal_newlines=True)
    if done.stdout.count('\n') != 1:
        return json.dumps({'problem': done.stdout + done.stderr})
    return done.stdout.strip()


def serve(pyhotpatch, asked, answers):
    """Until the case ends."""
    try:
        with open(asked) as requests, open(answers, 'w') as out:
            for line in requests:
                out.write(run_program(pyhotpatch, json.loads(line)) + '\n')
                out.flush()
    except BrokenPipeError:
        pass  # it died, as its status will say


def run(pyhotpatch, command, case):
    """(exit status, output) of one case."""
    asked, ask = os.pipe()
    answer, answers = os.pipe()
    environment = dict(os.environ, PYTHONHASHSEED='0', PYTHONPATH=INSIDE)
    environment.pop('PYTHONDONTWRITEBYTECODE', None)
    with tempfile.TemporaryFile('w+') as output:
        process = subprocess.Popen(
            command + ['-S', os.path.join(HERE, 'outside_runner.py'), case, str(ask), str(answer)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            env=environment, pass_fds=[ask, answer], start_new_session=True)
        os.close(ask)
        os.close(answer)
        # Its children hold the pipe, too.
        end = threading.Timer(CASE_SECONDS, os.killpg, (process.pid, signal.SIGKILL))
        end.start()
        serve(pyhotpatch, asked, answers)
        status = process.wait()
        end.cancel()
        output.seek(0)
        return status, output.read()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('pyhotpatch')
    parser.add_argument('cases', nargs='*')
    parser.add_argument('--python', action='append')
    parser.add_argument('-j', type=int, default=2)
    options = parser.parse_args()
    pyhotpatch = os.path.abspath(options.pyhotpatch)
    named = options.python or os.environ.get('PYHOTPATCH_INTERPRETERS', '').split()
    found = [(p, p) for p in named] or run_cases.pythons()
    interpreters = [(x[0], command_of(x[1])) for x in found if not x[0].startswith('3.6.')]
    lacks = {version: lacking(command) for version, command in interpreters}
    cases = [os.path.abspath(c) for c in options.cases] or \
        sorted(glob.glob(os.path.join(INSIDE, 'cases', '*.case')))
    usage = subprocess.run([pyhotpatch, '--help'], stdout=subprocess.PIPE,
                           universal_newlines=True).stdout
    skipped, runs = [], []
    for case in cases:
        with open(case) as f:
            text = f.read()
        reason = why_not(text, re.findall(r'^  (\w+) ', usage, re.M))
        if reason:
            skipped.append((name_of(case), reason))
            continue
        needs = {module for pattern, module in NEEDED if re.search(pattern, text)}
        for interpreter in interpreters:
            missing = needs & lacks[interpreter[0]]
            if missing:
                skipped.append(('%s on CPython %s' % (name_of(case), interpreter[0]),
                                'this Python has no ' + ', '.join(sorted(missing))))
            else:
                runs.append((case, interpreter))
    print('1..%d' % (len(runs) + len(skipped)))
    number = failed = 0
    for name, reason in skipped:
        number += 1
        print('ok %d - %s # SKIP %s' % (number, name, reason))
    with concurrent.futures.ThreadPoolExecutor(options.j) as pool:
        results = pool.map(lambda x: run(pyhotpatch, x[1][1], x[0]), runs)
        for (case, (version, _)), (status, output) in zip(runs, results):
            number += 1
            failed += status != 0
            print('%s %d - %s on CPython %s' % ('not ok' if status else 'ok', number,
                                                name_of(case), version))
            if status:
                print(''.join('#   %s\n' % line for line in output.splitlines()[-25:]), end='')
            sys.stdout.flush()
    print('# %d cases from outside, %d runs on %s: %d failed' % (
        len({case for case, _ in runs}), len(runs), ' '.join(version for version, _ in interpreters), failed))
    return 1 if failed or not runs else 0


def name_of(case):
    return os.path.splitext(os.path.basename(case))[0]


if __name__ == '__main__':
    sys.exit(main())
