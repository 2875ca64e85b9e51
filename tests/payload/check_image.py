#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The payload's image is what the injector can link: check_image.py PAYLOAD.so; prints TAP."""
import re
import subprocess
import sys

ALLOWED = {'R_X86_64_RELATIVE', 'R_X86_64_GLOB_DAT', 'R_X86_64_JUMP_SLOT', 'R_X86_64_64'}
EXPORTED = {'payload_launch', 'payload_enter', 'payload_lend', 'payload_work', 'payload_serve',
            'payload_early'}
MAX_MAPPED = 200 * 1024
LATER = {'payload_serve', 'holder_serve'}  # called once the whole image is there


def readelf(*arguments):
    return subprocess.run(['readelf', '-W', *arguments, sys.argv[1]], check=True,
                          stdout=subprocess.PIPE, universal_newlines=True).stdout


def strays():
    """What the code that is written before a thread is sent in calls or reads that is not written then."""
    text = subprocess.run(['objdump', '-d', '--no-show-raw-insn', sys.argv[1]], check=True,
                          stdout=subprocess.PIPE, universal_newlines=True).stdout
    functions = [(int(address, 16), name.split('.')[0], body) for address, name, body in
                 re.findall(r'^([0-9a-f]+) <(\S+)>:\n((?:.+\n)+)', text, re.M)]
    first = int(re.search(r'^ *\d+: (\w+) .* payload_early$', readelf('-s'), re.M)[1], 16)
    uses = [(name, target, to) for address, name, body in functions if address >= first
            for target, to in re.findall(r'(?:\t(?:call|j\w+) +|# )([0-9a-f]+) <([^>+]+)', body)]
    return [(name, to) for name, target, to in uses
            if int(target, 16) < first & ~4095 and to not in LATER] if uses else ['no jumps']


def main():
    loads = re.findall(r'^  LOAD +\S+ \S+ \S+ \S+ (0x\w+) ([R ][W ][E ])', readelf('-l'), re.M)
    kinds = set(re.findall(r'R_X86_64_\w+', readelf('-r')))
    symbols = [line.split() for line in readelf('--dyn-syms').splitlines() if re.match(r' *\d+:', line)]
    undefined = {s[7].split('@')[0] for s in symbols if len(s) > 7 and s[6] == 'UND'}
    exported = {s[7] for s in symbols if len(s) > 7 and s[6] != 'UND'}
    foreign = {s for s in undefined if not re.match(r'_?Py[A-Z_]|pthread_|__errno_location$', s)}
    data = {s[7] for s in symbols if len(s) > 7 and s[3] in ('OBJECT', 'TLS')}
    dynamic = readelf('-d')
    room = MAX_MAPPED - sum(int(x[0], 16) for x in loads[:2])
    checks = [
        ('two segments, R-X and RW, and tables', [x[1] for x in loads] == ['R E', 'RW ', 'R  '], loads),
        ('plain relocations only', kinds <= ALLOWED, kinds),
        ('undefined symbols are of CPython and pthread', not foreign, foreign),
        ('no data symbols', not data, data),
        ('exports nothing else', exported <= EXPORTED, exported),
        ('what a thread needs that is sent in lies together', not strays(), strays()),
        ('small: %d bytes of %d are left' % (room, MAX_MAPPED), room > 0, loads),
        ('no text relocations, constructors or libraries',
         not re.search(r'TEXTREL|\((INIT|FINI)|NEEDED', dynamic), dynamic),
    ]
    print('1..%d' % len(checks))
    for number, (name, good, what) in enumerate(checks, 1):
        print('%s %d - %s' % ('ok' if good else 'not ok', number, name))
        if not good:
            print('# %s' % (what,))
    return 0 if all(good for _, good, _ in checks) else 1


if __name__ == '__main__':
    sys.exit(main())
