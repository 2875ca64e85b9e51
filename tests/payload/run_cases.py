#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The reload algorithm on every CPython of this machine, no ptrace; prints TAP.

run_cases.py PAYLOAD.so [--python EXE]... [-j N] [CASE...]
"""
import argparse
import concurrent.futures
import glob
import os
import subprocess
import sys

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


def run(payload, python, case):
    environment = dict(os.environ, PYTHONHASHSEED='0')
    environment.pop('PYTHONPATH', None)
    command = [python, '-S', '-E', os.path.join(HERE, 'case_runner.py'), payload, case]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                              stdin=subprocess.DEVNULL, env=environment, universal_newlines=True)
    except subprocess.TimeoutExpired as error:
        return 'timeout', str(error.stdout)
    return done.returncode, done.stdout


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
    jobs = [(version, python, case) for version, python in targets for case in cases]
    print('1..%d' % len(jobs))
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(options.j) as pool:
        results = pool.map(lambda job: run(payload, job[1], job[2]), jobs)
        for number, ((version, _, case), (code, out)) in enumerate(zip(jobs, results), 1):
            name = os.path.splitext(os.path.basename(case))[0]
            failed += code != 0
            print('%s %d - %s on CPython %s' % ('not ok' if code else 'ok', number, name, version))
            if code:
                print('# exit %s' % code)
                for line in out.splitlines()[-25:]:
                    print('#   ' + line)
            sys.stdout.flush()
    print('# %d cases on %d interpreters (%s): %d passed, %d failed'
          % (len(cases), len(targets), ' '.join(t[0] for t in targets), len(jobs) - failed, failed))
    return 1 if failed or not jobs else 0


if __name__ == '__main__':
    sys.exit(main())
