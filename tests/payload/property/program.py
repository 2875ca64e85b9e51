# SPDX-License-Identifier: MIT
"""What a random program consists of, and its text.

A program is a list of modules of items. An item keeps its number `uid` from version to version, so
that what was edited can be told. The text comes in two forms: the source itself, and the source for
the oracle, in which each statement that did not change takes the value that it had (KEPT).
"""
import itertools

numbers = itertools.count(1)
INDENT = '    '


def indented(lines):
    return [INDENT + line if line else line for line in lines]


class Item:
    """A statement at the top of a module or of a class body."""

    def __init__(self, name):
        self.uid = next(numbers)
        self.name = name
        self.wrap = None     # 'if' or 'try': the block that it stands in alone
        self.block = None    # (number, form): the block of the module that it shares
        self.comment = None

    def head(self):
        """What must be the same for the statement to be the same, functions' bodies apart."""
        return self.text(None)

    def lines(self, kept):
        inner = self.text(kept)
        if self.wrap == 'if':
            inner = ['if True:'] + indented(inner)
        elif self.wrap == 'try':
            inner = ['try:'] + indented(inner) + ['except ImportError:', INDENT + 'pass']
        return (['# ' + self.comment] if self.comment else []) + inner


class Import(Item):
    """`import m`, or `from m import name as ...`"""

    def __init__(self, module, name=None, alias=None):
        Item.__init__(self, alias or name or module)
        self.module, self.imported = module, name

    def text(self, kept):
        if self.imported is None:
            return ['import ' + self.module]
        alias = ' as ' + self.name if self.name != self.imported else ''
        return ['from %s import %s%s' % (self.module, self.imported, alias)]


class Assign(Item):
    """`name = value`. What kind of value it is: 'constant', 'derived', 'counter', 'cache', 'log',
    'object' (an instance), 'effect' (no name: what a loop does to a log, or calls), 'store' (an attribute
    of a function or class), 'closure', 'table' (of functions), 'lambda', 'field', 'member', 'augmented' (by a
    second statement), or 'temporary' (by way of a name that is deleted again)."""

    def __init__(self, name, value, kind):
        Item.__init__(self, name)
        self.value, self.kind = value, kind

    def is_state(self):
        return self.kind in ('derived', 'counter', 'cache', 'log', 'object', 'closure', 'effect')

    def text(self, kept):
        value = self.value
        if self.kind == 'effect':
            return [] if kept and kept.has(self) else ['for each in range(2):', INDENT + value]
        if kept and self.is_state() and kept.has(self):
            value = kept.expression(self, value)
        if self.kind == 'augmented':
            more, first = value.split(' + ')
            return ['%s = %s' % (self.name, first), '%s += %s' % (self.name, more)]
        if self.kind == 'temporary':
            name = 'of_' + self.name
            return ['%s = %s' % (name, value), '%s = %s' % (self.name, name), 'del ' + name]
        if self.kind == 'field':
            return ['%s: int%s' % (self.name, '' if value is None else ' = ' + value)]
        return ['%s = %s' % (self.name, value)]


class Function(Item):
    """A function or method. `role`: 'plain', 'factory', 'decorator', 'method', 'static', 'class',
    'property', 'settable' (a property with a setter), 'init', 'generator', 'async',
    'context' (a context manager), 'dispatch' (by the type of its argument). Parameters are
    (name, default or None)."""

    def __init__(self, name, parameters, body, role='plain'):
        Item.__init__(self, name)
        self.parameters, self.body, self.role = parameters, body, role
        self.decorators, self.doc = [], None
        self.other = '1'     # a number in the other function of two: a setter, for any type

    def is_state(self):
        """Has it a default that gathers?"""
        return ('seen', '[]') in self.parameters

    def signature(self, kept=None):
        first = {'method': ['self'], 'init': ['self'], 'property': ['self'],
                 'settable': ['self'], 'class': ['cls']}.get(self.role, [])
        rest = [name if default is None else '%s=%s' % (
            name, kept.expression(self, default) if name == 'seen' and kept and kept.has(self)
            else default) for name, default in self.parameters]
        return ', '.join(first + rest)

    def head(self):
        kind = 'plain' if self.role in ('generator', 'async') else self.role
        return [self.name, self.signature(), kind] + self.decorators

    def text(self, kept):
        own = {'static': ['@staticmethod'], 'class': ['@classmethod'],
               'property': ['@property'], 'settable': ['@property'],
               'context': ['@contextlib.contextmanager'],
               'dispatch': ['@%s.register(int)' % self.name]}.get(self.role, [])
        doc = ['"""%s"""' % self.doc] if self.doc else []
        body = self.body
        if self.role in ('generator', 'context'):
            body = body[:-1] + [body[-1].replace('return', 'yield', 1)]
        start = 'async def' if self.role == 'async' else 'def'
        name = self.name + '_int' if self.role == 'dispatch' else self.name
        return self.before() + own + ['@' + d for d in self.decorators] + \
            ['%s %s(%s):' % (start, name, self.signature(kept))] + indented(doc + body) + \
            self.behind()

    def before(self):
        if self.role != 'dispatch':
            return []
        return ['@functools.singledispatch', 'def %s(x, *more):' % self.name,
                INDENT + 'return ' + self.other]

    def behind(self):
        if self.role != 'settable':
            return []
        return ['@%s.setter' % self.name, 'def %s(self, x):' % self.name,
                INDENT + 'self.n = x + ' + self.other]


class Class(Item):
    """kind: 'class', 'dataclass', 'enum' or 'exception'."""

    def __init__(self, name, bases, items, kind='class'):
        Item.__init__(self, name)
        self.bases, self.items, self.kind, self.doc = bases, items, kind, None
        self.decorators = ['dataclasses.dataclass'] if kind == 'dataclass' else []

    def text(self, kept):
        head = 'class %s%s:' % (self.name, '(%s)' % ', '.join(self.bases) if self.bases else '')
        body = ['"""%s"""' % self.doc] if self.doc else []
        for item in self.items:
            body += item.lines(kept)
        return ['@' + d for d in self.decorators] + [head] + indented(body or ['pass'])

    def find(self, name):
        return next((item for item in self.items if item.name == name), None)


# What stands before and behind the statements of a block.
BLOCKS = {
    'if': (['if True:'], []),
    'test': (['if tools.REGISTRY is not None:'], ['else:', INDENT + 'raise AssertionError']),
    'else': (['if tools.REGISTRY is None:', INDENT + 'raise AssertionError', 'else:'], []),
    'body': (['try:'], ['except ImportError:', INDENT + 'raise AssertionError']),
    'handler': (['try:', INDENT + 'import nothing_of_the_kind', 'except ImportError:'], []),
    'tried': (['try:', INDENT + 'import sys', 'except ImportError:', INDENT + 'pass', 'else:'], []),
    'finally': (['try:', INDENT + 'import sys', 'finally:'], []),
    'guarded': (['try:'], ['finally:', INDENT + 'import sys']),
    'with': (['with contextlib.suppress(ImportError):'], []),
    'nested': (['if tools.REGISTRY is not None:', INDENT + 'with contextlib.suppress(ImportError):',
                INDENT * 2 + 'import sys'], []),
}


def settle_blocks(items):
    """Whatever came between two statements of a block is in it."""
    for block in {item.block for item in items if item.block}:
        places = [n for n, item in enumerate(items) if item.block == block]
        for item in items[places[0]:places[-1] + 1]:
            item.block = block


class Module:
    def __init__(self, name):
        self.name, self.items, self.doc = name, [], None

    def source(self, kept=None):
        lines = ['"""%s"""' % self.doc] if self.doc else []
        lines += ['import contextlib, dataclasses, enum, functools']
        settle_blocks(self.items)
        for block, items in itertools.groupby(self.items, lambda item: item.block):
            inner = [line for item in items for line in item.lines(kept)]
            before, behind = BLOCKS[block[1]] if block else ([], [])
            lines += before + (indented(inner) if block else inner) + behind
        # Sometimes what a module ends with cannot be told from a block before it.
        return '\n'.join(lines + ['END = None']) + '\n'

    def find(self, name):
        return next((item for item in self.items if item.name == name), None)


class Held:
    """A reference that lives over the reload: `name = value`, looked at by `probe`.
    kind: 'object' and 'closure' carry state; 'reference' does not; 'probe' is another look at one
    that is held already. `target` is the item that it
    leads to; one that was removed, or became another kind of method, makes the reference a dead
    one."""

    def __init__(self, name, value, kind, probe, target):
        self.uid = next(numbers)
        self.name, self.value, self.kind, self.probe = name, value, kind, probe
        self.target, self.role = target.uid, getattr(target, 'role', None)

    def is_alive(self, program):
        found = [item for _, _, item in program.walk() if item.uid == self.target]
        return bool(found) and getattr(found[0], 'role', None) == self.role


class Program:
    def __init__(self):
        self.modules = []

    def sources(self, kept=None):
        return {module.name: module.source(kept) for module in self.modules}

    def find(self, name):
        return next((module for module in self.modules if module.name == name), None)

    def walk(self):
        """(module, classes around, item) of each item."""
        def inside(module, around, items):
            for item in items:
                yield module, around, item
                if isinstance(item, Class):
                    yield from inside(module, around + [item], item.items)
        for module in self.modules:
            yield from inside(module, [], module.items)

    def places(self):
        """uid -> (module name, qualified name, item)"""
        return {item.uid: (module.name, '.'.join([c.name for c in around] + [item.name]), item)
                for module, around, item in self.walk()}
