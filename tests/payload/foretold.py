# SPDX-License-Identifier: MIT
"""Whether an attach did what the plan before it said."""
import ast
import sys

CHANGES = {'changed': 'changed', 'added': 'added', 'removed': 'removed', 'lost': 'changed',
           'migrated': 'changed'}
# What new code makes of itself cannot be known without running it: names that a star import, exec(),
# globals() or a function that it calls binds.
FAILURES = 'source-error', 'refused', 'broken', 'internal', 'cancelled', 'unsupported', 'busy', 'revoked'
UNKNOWN = ('import *', 'exec(', 'globals()', 'vars()', 'setattr(')


def changes(report):
    return {(r.module, r.name, CHANGES[r.action]) for r in report
            if r.kind in ('function', 'class', 'name') and r.action in CHANGES}


def maybe(report, is_rerun):
    """A statement that runs may bind a name to the same value, or not come to it; a class whose whole
    body runs may come out the same; a star import may bring what no statement binds any more."""
    brings = any('import *' in text for _, _, text in statements(report))
    return {(r.module, r.name, CHANGES[r.action]) for r in report
            if r.action == 'added' or (brings and r.action == 'removed') or (r.kind == 'name' and r.action in ('changed', 'lost'))
            or (is_rerun and r.kind == 'class' and r.action == 'changed')}


def frames(report):
    return sorted((r.name, r.text, r.line) for r in report if r.kind == 'frame')


def statements(report):
    return [(r.module, r.line, r.text) for r in report if r.kind == 'statement']


def kept(report):
    return {(r.module, r.name) for r in report if r.kind == 'name' and r.action == 'kept'}


def modules(report):
    return {(r.module, r.name, r.action) for r in report if r.kind == 'module' and r.action in CHANGES}


def lost(report):
    return {(r.module, r.name) for r in report if r.action == 'lost'}


def open_modules(plan):
    """Those of which the plan says that it cannot know what is bound in the end."""
    return {r.module for r in plan if r.kind == 'warning' and 'not known beforehand' in r.text}


def declared_global(module):
    """The names that functions of its source bind when they are called."""
    path = getattr(sys.modules.get(module), '__file__', None)
    try:
        with open(path) as f:
            tree = ast.parse(f.read())
    except (TypeError, ValueError, OSError, SyntaxError):
        return set()
    return {name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names}


def differences(plan, attach, words):
    """Both as (status, records); the options of the attach."""
    is_rerun = 'rerun' in words
    told, did = plan[1], attach[1]
    if attach[0] in FAILURES:
        return [] if plan[0] in ('applied', attach[0]) else ['plan says %s' % plan[0]]
    if attach[0] != plan[0]:
        return ['plan says %s, attach %s' % (plan[0], attach[0])]
    out = []
    unknown = open_modules(told)
    did = [r for r in did if r.module not in unknown or r.kind not in ('name', 'function', 'class')]
    told = [r for r in told if r.module not in unknown or r.kind not in ('name', 'function', 'class')]
    for what in [modules, statements, kept] + [frames] * ('moving' not in words):
        if what(told) != what(did):
            out.append('%s: told %s, did %s' % (what.__name__, what(told), what(did)))
    surprise = changes(did) - changes(told) | lost(did) - lost(told)
    surprise = {entry for entry in surprise if entry[1] not in declared_global(entry[0])}
    if surprise and not any(word in text for _, _, text in statements(told) for word in UNKNOWN):
        out.append('not foretold: %s' % sorted(surprise))
    missing = changes(told) - changes(did) - maybe(told, is_rerun)
    if missing:
        out.append('foretold, but not done: %s' % sorted(missing))
    return out
