# SPDX-License-Identifier: MIT
"""Versions of a program, who holds what of it, and the case that this makes for case_runner.py."""
import copy
import marshal
import random

import edit
import generate
import looks
import oracle
from program import Assign, Class, Function

HELPERS = '''
import collections, functools, itertools, types, weakref
def equal(seen, expected):
    assert seen == expected, '%r instead of %r' % (seen, expected)
def finished(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
def raises(look):
    try:
        look()
    except Exception as error:
        return type(error).__name__
'''


def is_same(old, new):
    """But for the words of comments."""
    return old is not None and marshal.dumps(compile(old, 'm', 'exec')) == marshal.dumps(compile(new, 'm', 'exec'))


class Invalid(Exception):
    """The program, or what is held of it, does not run: no case."""


class Scenario:
    def __init__(self, seed, versions, held):
        self.seed, self.versions, self.held = seed, versions, held
        self.probes = [None] * len(versions)     # a shrunk scenario looks at less
        self.done = []                           # (lines, pictures, places) of each version

    def looks(self, number):
        if self.probes[number] is None:
            self.probes[number] = looks.probes(self.versions[number], self.held)
        return self.probes[number]

    def text(self):
        """The case. Raises Invalid."""
        for number in range(len(self.done), len(self.versions)):
            self.done.append(self.step(number, *(self.done[-1][1:] if self.done else ({}, {}))))
        lines = ['seed %s' % self.seed]
        for number, (part, _, places) in enumerate(self.done):
            lines += part
            if number + 1 < len(self.done):
                lines.append(self.remember(places))
        return '\n'.join(lines) + '\n'

    def step(self, number, pictures, before):
        program = self.versions[number]
        places = program.places()
        kept = oracle.Kept(before, places, pictures)
        result = oracle.visit(program, kept, pictures, self.held, self.looks(number))
        if isinstance(result, str):
            raise Invalid(result)
        if number and isinstance(oracle.visit(program, None, {}, [], []), str):
            raise Invalid('a restart would fail')
        if ('raises', 'RecursionError') in result[0]:
            raise Invalid('what it has done by then depends on how deep the stack is')
        lines = self.files(number)
        if number == 0:
            lines += ['### run' + HELPERS + 'import ' + ', '.join(
                module.name for module in program.modules)]
            lines += ['%s = %s' % (x.name, x.value) for x in self.held if x.value]
        else:
            lines += ['### attach applied', '### run'] + self.identities(before, places)
        return lines + self.assertions(number, result[0]), result[1], places

    def files(self, number):
        """Those that this version changes."""
        new = self.versions[number].sources()
        old = self.versions[number - 1].sources() if number else {}
        changed = [name for name in new if new[name] != old.get(name)]
        if all(is_same(old.get(name), new[name]) for name in changed):
            raise Invalid('no change')
        return ['### file %s.py\n%s' % (name, new[name].rstrip('\n')) for name in changed]

    def assertions(self, number, seen):
        lines = []
        for probe, (how, value) in zip(self.looks(number), seen):
            if how == 'value':
                lines.append('equal(%s, %r)' % (probe, value))
            elif how == 'raises':
                lines.append('equal(raises(lambda: %s), %r)' % (probe, value))
            else:
                lines.append(probe)     # it may have done something
        return lines

    def remember(self, places):
        paths = ['%s.%s' % (module, name) for module, name, item in places.values()
                 if self.has_identity(item)]
        return 'was = {%s}' % ', '.join('%r: %s' % (path, path) for path in paths)

    @staticmethod
    def has_identity(item):
        if isinstance(item, Function):
            return item.role in ('plain', 'factory') or item.role in generate.ASKED
        return isinstance(item, Class) or (isinstance(item, Assign) and item.kind in (
            'cache', 'log', 'object', 'closure'))

    def identities(self, before, places):
        lines = []
        for uid, (module, name, item) in places.items():
            if uid not in before or not self.has_identity(item):
                continue
            old = before[uid]
            same = old[:2] == (module, name) and {
                Class: lambda: old[2].bases == item.bases,
                Function: lambda: old[2].decorators == item.decorators,
                Assign: lambda: old[2].head() == item.head()}[type(item)]()
            if same:
                path = '%s.%s' % (module, name)
                lines.append('assert %s is was[%r]' % (path, path))
        return lines


def make(seed):
    """A scenario that runs."""
    for attempt in range(1000):
        chance = random.Random('%s/%d' % (seed, attempt))
        maker = generate.Maker(chance)
        versions = [maker.make()]
        held = looks.references(chance, versions[0])
        made = Scenario(seed, versions, held)
        try:
            made.text()
        except Invalid:
            continue
        for _ in range(2):
            extend(made, chance)
        if len(made.versions) > 1:
            return made
    raise RuntimeError('no program runs')


def extend(scenario, chance):
    """Append a version that runs, if one is found soon."""
    for _ in range(8):
        program = edit.next_version(chance, generate.Maker, scenario.versions[-1])
        scenario.versions.append(program)
        scenario.probes.append(None)
        try:
            scenario.text()
            return
        except Invalid:
            scenario.versions.pop()
            scenario.probes.pop()


def copy_of(scenario):
    made = Scenario(scenario.seed, copy.deepcopy(scenario.versions), list(scenario.held))
    made.probes = [list(x) if x is not None else None for x in scenario.probes]
    return made
