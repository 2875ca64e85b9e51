#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The reload algorithm on every CPython of this machine, no ptrace; prints TAP.

run_cases.py PAYLOAD.so [--python EXE]... [-j N] [CASE...]
"""
import argparse
import concurrent.futures
import glob
import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PLACES = ['/usr/bin/python3.*', '/usr/local/bin/python3.*',
          os.path.expanduser('~/.pyenv/versions/*/bin/python3.*')]
PROBE = 'import sys, ctypes; print("%d.%d.%d" % sys.version_info[:3] + ' \
        '("d" if hasattr(sys, "gettotalrefcount") else ""), sys.implementation.name)'


def pythons():
    found = {}
    for pattern in PLACES:
        for path in sorted(glob.glob(pattern)):
            real = os.path.realpath(path)
            if real in found or path.endswith(('-config', 'm')) or not os.access(path, os.X_OK):
                continue
            try:
                out = subprocess.run([real, '-S', '-c', PROBE], stdout=subprocess.PIPE, timeout=20,
                                     stderr=subprocess.DEVNULL, universal_newlines=True).stdout
            except (OSError, subprocess.TimeoutExpired):
                continue
            words = out.split()
            if len(words) == 2 and words[1] == 'cpython':
                found[real] = words[0]
    return sorted(((version, path) for path, version in found.items()),
                  key=lambda x: [int(''.join(c for c in n if c.isdigit())) for n in x[0].split('.')])


def settle():
    """An attach looks into what is not 2 s older than the process, and remembers that it did: not into our files."""
    newest = max(os.stat(path).st_ctime for path in glob.glob(os.path.join(HERE, '*.py')))
    time.sleep(max(0, min(3, newest + 3 - time.time())))


def run(payload, python, cases):
    """(case, wait status, output) of each, as they come; what never came is missing."""
    environment = dict(os.environ, PYTHONHASHSEED='0')
    environment.pop('PYTHONPATH', None)
    if 'PAYLOAD_PRELOAD' in environment:
        environment['LD_PRELOAD'] = environment['PAYLOAD_PRELOAD']
    command = [python, '-S', '-E', os.path.join(HERE, 'case_runner.py'), payload] + cases
    settle()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, env=environment, universal_newlines=True)
    results = {}
    for line in done.stdout.splitlines():
        if line.startswith('['):
            case, status, output = json.loads(line)
            results[case] = status, output
    return [results.get(case, ('not run', done.stdout)) for case in cases]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('payload')
    parser.add_argument('cases', nargs='*')
    parser.add_argument('--python', action='append')
    parser.add_argument('-j', type=int, default=2)
    options = parser.parse_args()
    payload = os.path.abspath(options.payload)
    targets = [(p, p) for p in options.python] if options.python else pythons()
    cases = [os.path.abspath(c) for c in options.cases] or \
        sorted(glob.glob(os.path.join(HERE, 'cases', '*.case')))
    print('1..%d' % (len(targets) * len(cases)))
    failed = number = 0
    with concurrent.futures.ThreadPoolExecutor(options.j) as pool:
        batches = pool.map(lambda target: run(payload, target[1], cases), targets)
        for (version, _), results in zip(targets, batches):
            for case, (status, output) in zip(cases, results):
                name = os.path.splitext(os.path.basename(case))[0]
                number += 1
                failed += status != 0
                print('%s %d - %s on CPython %s' % ('not ok' if status else 'ok', number, name,
                                                    version))
                if status:
                    print('# wait status %s' % status)
                    print(''.join('#   %s\n' % line for line in output.splitlines()[-25:]), end='')
            sys.stdout.flush()
    print('# %d cases on %d interpreters (%s): %d passed, %d failed'
          % (len(cases), len(targets), ' '.join(t[0] for t in targets), number - failed, failed))
    return 1 if failed or not number else 0


if __name__ == '__main__':
    sys.exit(main())
