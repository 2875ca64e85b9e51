#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Applications of the frameworks that people patch live, patched live; prints TAP.

run_frameworks.py [NAME...]: each test_NAME.py here is one framework of Debian's; its functions
test_* are the cases. A module that needs one that is not installed is skipped.
"""
import glob
import importlib
import os
import sys
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))


def cases(names):
    """(framework, case's name, function or reason to skip)"""
    for path in sorted(glob.glob(os.path.join(HERE, 'test_*.py'))):
        name = os.path.basename(path)[5:-3]
        if names and name not in names:
            continue
        try:
            module = importlib.import_module('test_' + name)
        except ModuleNotFoundError as error:
            yield name, 'all', 'python3-%s is not installed (%s)' % (name, error)
            continue
        for case in sorted(x for x in vars(module) if x.startswith('test_')):
            yield name, case[5:], getattr(module, case)


def main():
    found = list(cases(sys.argv[1:]))
    print('1..%d' % len(found))
    failed = 0
    for number, (framework, name, case) in enumerate(found, 1):
        title = '%d - %s: %s' % (number, framework, name.replace('_', ' '))
        if isinstance(case, str):
            print('ok %s # SKIP %s' % (title, case))
            continue
        try:
            case()
            print('ok ' + title)
        except Exception:
            failed += 1
            print('not ok ' + title)
            print(''.join('#   %s\n' % x for x in traceback.format_exc().splitlines()), end='')
        sys.stdout.flush()
    return 1 if failed or not found else 0


if __name__ == '__main__':
    sys.dont_write_bytecode = True
    sys.exit(main())
