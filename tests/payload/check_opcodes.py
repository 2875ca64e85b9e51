#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""payload/python/opcodes.c against each interpreter's own tables; prints TAP.

check_opcodes.py OPCODES.c
"""
import json
import re
import subprocess
import sys

import run_cases

PROBE = """
import json, opcode
real = {name: op for name, op in opcode.opmap.items() if op < 255 and 'INSTRUMENTED' not in name}
print(json.dumps([real, opcode.hasname, opcode.hasconst, opcode.haslocal, opcode.hasfree,
                  opcode.hasjrel, opcode.hasjabs]))
"""
FIXED = re.compile(r'numbering\[\]\[\d+\] = \{(.*?)\};', re.DOTALL)
RULE = re.compile(r'\{\s*(\d+), OPCODE_(\w+),\s*(\d+),\s*(\d+),\s*(\d+)\}')


def tables(rules, minor):
    kinds, same = {}, {}
    for op, kind, same_as, first, last in rules:
        if int(first) <= minor <= int(last):
            assert int(op) not in kinds, 'two rules for %s on 3.%d' % (op, minor)
            kinds[int(op)] = kind
            same[int(op)] = int(same_as) or int(op)
    return kinds, same


def allowed(name, op, has, minor):
    hasname, hasconst, haslocal, hasfree, hasjrel, hasjabs = has
    if op in hasname:
        flags = {'LOAD_GLOBAL': 1, 'LOAD_ATTR': 1, 'LOAD_SUPER_ATTR': 2}.get(name, 0)
        if name == 'IMPORT_NAME':
            return ['IMPORT' if minor >= 15 else 'NAME']
        return ['NAME', 'NAME_%d' % flags] if flags else ['NAME']
    if op in hasconst:
        return ['RETURN_CONST' if name == 'RETURN_CONST' else 'CONST']
    if name in ('LOAD_SMALL_INT', 'LOAD_COMMON_CONSTANT'):
        return ['SMALL_INT' if name == 'LOAD_SMALL_INT' else 'COMMON']
    if name == 'LOAD_DEREF':  # 3.14 lists it among the locals
        return ['FREE']
    if name == 'END_ASYNC_FOR':  # 3.14: a distance that nothing jumps
        return ['PLAIN']
    if op in haslocal:
        return ['LOCAL_PAIR' if name.count('_FAST') == 2 else 'LOCAL']
    if op in hasfree:
        return ['FREE']
    if op in hasjabs:
        return ['GO_ABSOLUTE' if name in ('JUMP_ABSOLUTE', 'CONTINUE_LOOP') else 'ABSOLUTE']
    if op in hasjrel:
        way = 'BACKWARD' if 'BACKWARD' in name else 'FORWARD'
        return ['GO_' + way if name.startswith('JUMP_') and '_IF_' not in name else way]
    return {'EXTENDED_ARG': ['EXTENDED'], 'RETURN_VALUE': ['RETURN'], 'RERAISE': ['RAISE'],
            'RAISE_VARARGS': ['RAISE'], 'SET_FUNCTION_ATTRIBUTE': ['GIVES']}.get(name, ['PLAIN', 'DROP'])


def numbered(text, minor):
    """The instructions that each numbering names by itself."""
    rows = re.findall(r'\{([\d, ]+)\}', FIXED.search(text).group(1))
    numbers = map(int, rows[max(0, minor - 12)].split(','))
    return zip(('STORE_ATTR', 'STORE_SUBSCR', 'LOAD_NAME', 'LOAD_CONST', 'LOAD_ATTR', 'EXTENDED_ARG',
                'STORE_NAME', 'DELETE_NAME', 'POP_TOP', 'POP_EXCEPT'), numbers)


def problems(text, rules, python):
    out = subprocess.run([python, '-S', '-c', PROBE], stdout=subprocess.PIPE, check=True,
                         universal_newlines=True).stdout
    version = subprocess.run([python, '-S', '-c', 'import sys; print(sys.version_info[1])'],
                             stdout=subprocess.PIPE, check=True, universal_newlines=True).stdout
    names, *has = json.loads(out)
    kinds, same = tables(rules, int(version))
    for name, op in names.items():
        kind = kinds.get(op, 'PLAIN')
        if kind not in allowed(name, op, has, int(version)):
            yield '%s (%d) is %s' % (name, op, kind)
        if name.endswith('_GLOBAL') and same.get(op) != names[name.replace('GLOBAL', 'NAME')]:
            yield '%s (%d) is not like its _NAME' % (name, op)
    for name, op in numbered(text, int(version)):
        if names[name] != op:
            yield '%s is %d' % (name, names[name])
    for op in kinds:
        if op not in names.values():
            yield '%d does not exist' % op


def main():
    with open(sys.argv[1]) as f:
        text = f.read()
    rules = RULE.findall(text)
    pythons = run_cases.pythons()
    print('1..%d' % len(pythons))
    failed = 0
    for number, (version, python) in enumerate(pythons, 1):
        found = list(problems(text, rules, python))
        failed += bool(found)
        print('%s %d - %d rules on CPython %s'
              % ('not ok' if found else 'ok', number, len(rules), version))
        for line in found:
            print('# ' + line)
    return 1 if failed or not pythons or not rules else 0


if __name__ == '__main__':
    sys.exit(main())
