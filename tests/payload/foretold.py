# SPDX-License-Identifier: MIT
"""Whether an attach did what the plan before it said."""

CHANGES = {'changed': 'changed', 'added': 'added', 'removed': 'removed', 'lost': 'changed',
           'migrated': 'changed'}
# What new code makes of itself cannot be known without running it: names that a star import, exec()
# or globals() binds.
UNKNOWN = ('import *', 'exec(', 'globals()', 'vars()', 'setattr(')


def changes(report, *kinds):
    return {(r.module, r.name, CHANGES[r.action]) for r in report
            if r.kind in kinds and r.action in CHANGES}


def frames(report):
    return sorted((r.name, r.text, r.line) for r in report if r.kind == 'frame')


def statements(report):
    return [(r.module, r.line, r.text) for r in report if r.kind == 'statement']


def differences(plan, attach):
    """Both as (status, records)."""
    told, did = plan[1], attach[1]
    if attach[0] in ('source-error', 'refused', 'broken', 'internal', 'cancelled', 'unsupported'):
        return [] if plan[0] in ('applied', attach[0]) else ['plan says %s' % plan[0]]
    if attach[0] != plan[0]:
        return ['plan says %s, attach %s' % (plan[0], attach[0])]
    out = []
    surprise = changes(did, 'function', 'class', 'name') - changes(told, 'function', 'class', 'name')
    if surprise and not any(word in text for _, _, text in statements(told) for word in UNKNOWN):
        out.append('not foretold: %s' % sorted(surprise))
    missing = {x for x in changes(told, 'function') if x[2] == 'changed'} - changes(did, 'function', 'class')
    if missing:
        out.append('foretold, but not done: %s' % sorted(missing))
    if frames(told) != frames(did):
        out.append('frames: told %s, did %s' % (frames(told), frames(did)))
    return out
