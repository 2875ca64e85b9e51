# SPDX-License-Identifier: MIT
"""What must be true after a reload, found without one.

A *world* is a fresh process that imports one version of a program, makes the references and looks
at it. The world of the next version is a fresh start too, but each statement that did not change
takes the value that it had at the end of the world before (KEPT in its source, put there by
program.py), and so do the instances and closures that are held. What the probes see there is
what they must see in a process that was reloaded.
"""
import ast
import collections
import copy
import functools
import itertools
import os
import pickle
import shutil
import signal
import sys
import tempfile
import types
import warnings
import weakref

SECONDS = 20


class Unkept(Exception):
    """A value that cannot be carried into another world."""


def is_literal(value):
    if type(value) in (int, str, bool, type(None), float):
        return True
    if type(value) in (list, tuple, set):
        return all(is_literal(x) for x in value)
    return type(value) is dict and all(is_literal(k) and is_literal(v) for k, v in value.items())


def freeze(value):
    """A picture of a value that another world can build again."""
    if is_literal(value):
        return 'literal', repr(value)
    if type(value) in (list, tuple):
        return type(value).__name__, [freeze(x) for x in value]
    if type(value) is dict:
        return 'dict', [(freeze(k), freeze(v)) for k, v in value.items()]
    if type(value) is types.FunctionType and value.__closure__:
        cells = {}
        for name, cell in zip(value.__code__.co_freevars, value.__closure__):
            if is_literal(cell.cell_contents):
                cells[name] = cell.cell_contents
        return 'closure', cells
    if type(value).__module__ in sys.modules and hasattr(value, '__dict__') and \
            not isinstance(value, (type, types.FunctionType, types.MethodType, types.ModuleType)):
        names = {name: freeze(x) for name, x in vars(value).items()}
        return 'object', (type(value).__module__, type(value).__qualname__, names)
    raise Unkept(type(value).__name__)


def thaw(picture, fresh=None):
    kind, content = picture
    if kind == 'literal':
        return ast.literal_eval(content)
    if kind == 'list':
        return [thaw(x) for x in content]
    if kind == 'tuple':
        return tuple(thaw(x) for x in content)
    if kind == 'dict':
        return {thaw(k): thaw(v) for k, v in content}
    if kind == 'closure':
        made = fresh()
        for name, cell in zip(made.__code__.co_freevars, made.__closure__ or ()):
            if name in content:
                cell.cell_contents = content[name]
        return made
    module, name, names = content
    found = sys.modules[module]
    for part in name.split('.'):
        found = getattr(found, part)
    made = found.__new__(found)
    vars(made).update({k: thaw(v) for k, v in names.items()})
    return made


FOLLOWS = (ast.Expression, ast.Name, ast.Load, ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop)


class Kept:
    """What one version's statements take over from the world before."""

    def __init__(self, before, places, values):
        self.unchanged = {}
        self.before, self.values = before, values
        for uid, (module, name, item) in places.items():
            old = before.get(uid)
            if old and old[:2] == (module, name) and old[2].head() == item.head() and \
                    uid in values:
                self.unchanged[uid] = values[uid]
        self.names = {place[:2]: uid for uid, place in before.items()}
        self.renewed = {uid for uid, place in before.items() if uid in places and uid not in self.unchanged
                        and getattr(place[2], 'value', None) != getattr(places[uid][2], 'value', None)}
        for uid in sorted(self.unchanged, key=list(places).index):
            item = places[uid][2]
            if getattr(item, 'kind', None) == 'derived' and self.follows(*places[uid]):
                self.renewed.add(uid)
                del self.unchanged[uid]

    def follows(self, module, name, item):
        """Is it made of names by operators alone, one of which changed, and has the value of the old ones?"""
        tree = ast.parse(item.value, mode='eval')
        if not all(isinstance(node, FOLLOWS) for node in ast.walk(tree)):
            return False
        uids = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                uids[node.id] = self.names.get((module, '.'.join(name.split('.')[:-1] + [node.id])),
                                               self.names.get((module, node.id)))
        if not self.renewed.intersection(uids.values()) or None in uids.values():
            return False
        if any(getattr(self.before[uid][2], 'kind', None) == 'augmented' for uid in uids.values()):
            return False    # of a name that several statements bind nothing is known
        old = {x: thaw(self.values[uid]) if uid in self.values else eval(self.before[uid][2].value)
               for x, uid in uids.items()}
        return eval(item.value, old) == thaw(self.values[self.names[module, name]])

    def has(self, item):
        return item.uid in self.unchanged

    @staticmethod
    def expression(item, value):
        return 'KEPT(%d, lambda: %s)' % (item.uid, value)


def finished(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value


def look_up(module, name):
    found = sys.modules[module]
    for part in name.split('.'):
        found = vars(found)[part]
    return found


def state_of(item, module, name):
    if getattr(item, 'kind', None) == 'effect':
        return None
    found = look_up(module, name)
    if not hasattr(item, 'parameters'):
        return found
    names = [x for x, _ in item.parameters]
    return getattr(found, '__func__', found).__defaults__[names.index('seen') - len(names)]


def see(names, expression):
    try:
        value = eval(expression, names)
    except Exception as error:
        return 'raises', type(error).__name__
    return ('value', copy.deepcopy(value)) if is_literal(value) else ('odd', None)


def take_picture(program, held, names):
    values = {}
    for uid, (module, name, item) in program.places().items():
        if getattr(item, 'is_state', bool)():
            try:
                values[uid] = freeze(state_of(item, module, name))
            except (Unkept, KeyError):
                pass
    for reference in held:
        if reference.kind in ('object', 'closure'):
            values[reference.uid] = freeze(names[reference.name])
    return values


def inhabit(program, kept, pictures, held, probes):
    """Inside the fresh process: what the probes saw, and what is to be kept."""
    import builtins
    warnings.simplefilter('ignore')     # a coroutine that nobody awaits
    builtins.KEPT = lambda uid, fresh: thaw(pictures[uid], fresh)
    folder = os.getcwd()
    for name, source in program.sources(kept).items():
        with open(os.path.join(folder, name + '.py'), 'w') as f:
            f.write(source)
    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True
    names = {'collections': collections, 'functools': functools, 'itertools': itertools,
             'types': types, 'weakref': weakref, 'finished': finished}
    for module in program.modules:
        names[module.name] = __import__(module.name)
    for reference in held:
        if reference.value is None:
            continue
        def fresh(reference=reference):
            return eval(reference.value, names)
        picture = pictures.get(reference.uid)
        names[reference.name] = thaw(picture, fresh) if picture else fresh()
    seen = [see(names, probe) for probe in probes]
    return seen, take_picture(program, held, names)


def visit(*arguments):
    """(seen, pictures) of inhabit(*arguments) in a fresh process, or the text of its failure."""
    folder = tempfile.mkdtemp()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reading)
            os.chdir(folder)
            signal.alarm(SECONDS)
            with os.fdopen(writing, 'wb') as out:
                try:
                    result = inhabit(*arguments)
                except BaseException as error:
                    result = '%s: %s' % (type(error).__name__, error)
                pickle.dump(result, out)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, 'rb') as data:
        text = data.read()
    os.waitpid(pid, 0)
    shutil.rmtree(folder)
    return pickle.loads(text) if text else 'died'
