# SPDX-License-Identifier: MIT
"""Whether anything that the shadow run made lives on beside what it stands for."""
import builtins
import gc
import sys
import weakref

FUNCTION = type(lambda: None)
namespace_of = type.__dict__['__dict__'].__get__
qualname_of = type.__dict__['__qualname__'].__get__


def definitions():
    """All classes and functions that the collector knows. type(), not isinstance(): objects of
    the case may claim to be anything."""
    return [x for x in gc.get_objects() if type(x) is FUNCTION or issubclass(type(x), type)]


def resolve(module, qualname):
    found = sys.modules.get(module)
    for part in qualname.split('.'):
        if found is None:
            return None
        names = namespace_of(found) if issubclass(type(found), type) else \
            getattr(found, '__dict__', {}) if type(found) is type(sys) else {}
        found = names.get(part)
    return found


def contents(cell):
    try:
        return cell.cell_contents
    except ValueError:
        return None


def is_inside(x, function, depth=0):
    """A decorator that is new wraps what the new source defined."""
    if type(function) is not FUNCTION or depth > 5:
        return False
    inner = [contents(cell) for cell in function.__closure__ or ()] + [function.__dict__.get('__wrapped__')]
    return any(y is x or is_inside(x, y, depth + 1) for y in inner)


def is_foreign(namespace):
    """Up to 3.8 the collector shows the objects of all interpreters: those have other builtins,
    as shadows have, but the builtins of a shadow are no module's."""
    found = namespace.get('__builtins__', builtins)
    return type(found) is type(sys) and found is not builtins or found is not builtins.__dict__ and \
        any(type(x) is type(sys) and x is not builtins and x.__dict__ is found for x in gc.get_objects())


def is_shadow(namespace):
    """A shadow has builtins of its own. sys.modules need not lead to the module's namespace."""
    found = namespace.get('__builtins__', builtins)
    return found is not builtins and found is not builtins.__dict__


def judge(x, changed):
    """What is wrong with a class or function that was not there before the attach, or None."""
    is_class = issubclass(type(x), type)
    module = namespace_of(x).get('__module__') if is_class else x.__globals__.get('__name__')
    if module not in changed:
        return None
    if not is_class and is_foreign(x.__globals__):
        return None
    if not is_class and is_shadow(x.__globals__):
        return 'runs in a shadow namespace'
    kept = resolve(module, qualname_of(x) if is_class else x.__qualname__)
    if kept is not x and not is_inside(x, kept) and (type(kept) is FUNCTION or issubclass(type(kept), type)):
        return 'is not the one that its module has'
    return None


def identities():
    """What is there before an attach. Weak, so that nothing is kept or rebound here."""
    return {id(x): weakref.ref(x) for x in definitions()}


def survivors(before, report):
    """Classes and functions of changed modules that are in nobody's place; `before` is what
    identities() gave."""
    changed = {record.module for record in report if record.kind == 'module'}
    gc.collect()
    found = []
    for x in definitions():
        is_old = id(x) in before and before[id(x)]() is x
        wrong = None if is_old else judge(x, changed)
        if wrong:
            name = x.__qualname__ if type(x) is FUNCTION else qualname_of(x)
            holders = [type(y).__name__ for y in gc.get_referrers(x) if y is not found]
            found.append('%r %s; held by %s' % (name, wrong, holders))
    return found
