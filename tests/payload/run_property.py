#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random programs, random edits, and what a reload must make of them; prints TAP.

run_property.py PAYLOAD.so [--python EXE]... [--count N] [--seed N] [--save FOLDER] [-j N]

Each number from --seed on makes a program and two edits of it, as a case for run_cases.py; the same
ones for every interpreter. What a case asserts comes from fresh starts, without any reload
(property/oracle.py). A case that fails is made small and printed, ready to become a file in cases/;
--save keeps such cases.
"""
import argparse
import concurrent.futures
import os
import sys
import tempfile

import run_cases

sys.path.insert(0, os.path.join(run_cases.HERE, 'property'))
import scenario  # noqa: E402
import shrink  # noqa: E402



def run_texts(payload, python, texts):
    """(wait status, output) of each."""
    with tempfile.TemporaryDirectory() as folder:
        names = [os.path.join(folder, '%d.case' % n) for n in range(len(texts))]
        for name, text in zip(names, texts):
            with open(name, 'w') as f:
                f.write(text)
        return run_cases.run(payload, python, names)


def report(failed, payload, python, options):
    """The smallest case of one failure, and what it says."""
    def fails(texts):
        return [status != 0 for status, _ in run_texts(payload, python, texts)]
    small = shrink.shrink(failed, fails, options.shrink)
    text = small.text()
    (_, output), = run_texts(payload, python, [text])
    if options.save:
        with open(os.path.join(options.save, 'seed_%s.case' % failed.seed), 'w') as f:
            f.write(text)
    return text + '### it said\n' + output


def targets(paths):
    """(version, path); dataclasses are new in 3.7."""
    found = [(path, path) for path in paths] if paths else run_cases.pythons()
    return [x for x in found if not x[0].startswith('3.6.')]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('payload')
    parser.add_argument('--python', action='append')
    parser.add_argument('--count', type=int, default=20)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--shrink', type=float, default=60, help='seconds for each failure')
    parser.add_argument('--save')
    parser.add_argument('-j', type=int, default=2)
    options = parser.parse_args()
    options.payload = os.path.abspath(options.payload)
    return options


def main():
    options = arguments()
    seeds = range(options.seed, options.seed + options.count)
    interpreters = targets(options.python)
    print('# seeds %d to %d' % (seeds[0], seeds[-1]))
    print('1..%d' % len(interpreters))
    with concurrent.futures.ProcessPoolExecutor(options.j) as pool:
        scenarios = list(pool.map(scenario.make, seeds))
    texts = [each.text() for each in scenarios]
    failed_targets, shrunk = 0, set()
    for number, (version, python) in enumerate(interpreters, 1):
        failures = [each for each, (status, _) in
                    zip(scenarios, run_texts(options.payload, python, texts)) if status]
        failed_targets += bool(failures)
        print('%s %d - %d random programs on CPython %s' % (
            'not ok' if failures else 'ok', number, len(texts), version))
        for each in failures:
            print('# seed %s fails on CPython %s' % (each.seed, version))
            if each.seed not in shrunk:
                shrunk.add(each.seed)
                said = report(each, options.payload, python, options)
                print(''.join('#   %s\n' % line for line in said.splitlines()), end='')
        sys.stdout.flush()
    return 1 if failed_targets or not interpreters else 0


if __name__ == '__main__':
    sys.exit(main())
