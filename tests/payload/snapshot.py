# SPDX-License-Identifier: MIT
"""What a program looks like, to the last identity and in the order of its dicts:

    before = Snapshot(module.__dict__); ...; assert not before.changes()

Everything that the root leads to is described by what it holds, each held object by its identity,
and is kept alive so that no identity is used twice.
"""
import sys
import types

# From 3.14 on annotations are worked out by a function when they are first read.
ANNOTATIONS = '__annotate__' if sys.version_info >= (3, 14) else '__annotations__'
FUNCTION = ('__code__', '__defaults__', '__kwdefaults__', ANNOTATIONS, '__doc__', '__name__',
            '__qualname__', '__globals__', '__closure__', '__dict__', '__module__')
WRAPPER = ('__func__', '__self__', 'fget', 'fset', 'fdel', 'func', 'args', 'keywords', '__wrapped__')
CELL = type((lambda x: lambda: x)(1).__closure__[0])  # types.CellType is of 3.8
ATOMS = (int, str, bytes, float, complex, type(None), types.CodeType, types.BuiltinFunctionType)


def parts(o):
    """(label, object) of everything that `o` holds."""
    kind = type(o)
    yield 'class', kind
    if isinstance(o, type):
        yield from ((repr(key), value) for key, value in type.__dict__['__dict__'].__get__(o).items())
        yield 'bases', o.__bases__
        yield from (('mro %d' % at, base) for at, base in enumerate(o.__mro__))
        yield from (('subclass', sub) for sub in sorted(type.__subclasses__(o), key=id))
    elif kind is types.FunctionType:
        for name in FUNCTION:
            yield name, getattr(o, name)
    elif isinstance(o, dict):
        for at, (key, value) in enumerate(o.items()):
            yield 'key %d' % at, key
            yield 'value %d' % at, value
    elif isinstance(o, (list, tuple)):
        for at, value in enumerate(o):
            yield 'item %d' % at, value
    elif isinstance(o, (set, frozenset)):
        yield from (('element', value) for value in sorted(o, key=id))
    elif kind is CELL:
        yield 'contents', getattr(o, 'cell_contents', None)
    elif isinstance(o, types.ModuleType):
        yield 'dict', o.__dict__
    else:
        for name in WRAPPER:
            try:
                yield name, object.__getattribute__(o, name)
            except AttributeError:
                pass
        yield from getattr(o, '__dict__', {}).items()
        for base in kind.__mro__:
            for name, slot in base.__dict__.items():
                if type(slot) is types.MemberDescriptorType:
                    yield name, slot.__get__(o) if hasattr(o, name) else None


class Snapshot:
    def __init__(self, *roots):
        self.roots = roots
        self.seen = self.look()

    def look(self):
        found, waiting = {}, [('root', root) for root in self.roots]
        while waiting:
            path, o = waiting.pop()
            if id(o) in found or isinstance(o, ATOMS) or not is_of_interest(o):
                continue
            held = list(parts(o))
            found[id(o)] = path, o, held
            waiting += [('%s > %s' % (path, label), x) for label, x in held]
        return found

    def changes(self):
        """Each difference as text."""
        now, out = self.look(), []
        for key, (path, o, held) in self.seen.items():
            if key not in now:
                out.append('%s is gone' % path)
                continue
            out += differences(path, held, now[key][2])
        return out


def differences(path, before, after):
    labels = [label for label, _ in before], [label for label, _ in after]
    if labels[0] != labels[1]:
        yield '%s: %s became %s' % (path, labels[0], labels[1])
        return
    for (label, x), (_, y) in zip(before, after):
        if x is not y and not (type(x) is type(y) and isinstance(x, ATOMS) and x == y):
            yield '%s > %s: %.80r became %.80r' % (path, label, x, y)


def is_of_interest(o):
    """Not the library: it is large, and its caches are its own affair."""
    name = getattr(o, '__module__', None) if isinstance(o, (type, types.FunctionType)) else None
    return not isinstance(o, types.ModuleType) and (name is None or name not in LIBRARY)


LIBRARY = {'builtins', 'abc', 'enum', 'functools', 'types', 'typing', 'dataclasses', 'collections',
           'case_runner', 'snapshot', 'threading', 're', 'contextlib', '_frozen_importlib',
           '_frozen_importlib_external'}
