# SPDX-License-Identifier: MIT
"""Random programs: what a maker knows of names in reach, and the items that it makes of them.

Every value that a program computes is a small integer, so that a probe's answer tells which
version of each function took part in it. Functions call only what was made before them; so
nothing recurs without end. A program that cannot run is no harm: its world says so and it is
dropped.
"""
import re

from program import BLOCKS, Assign, Class, Function, Import, INDENT, Module, Program

DECORATORS = {
    'counted': ['def counted(function):', '    @functools.wraps(function)',
                '    def wrapper(*arguments, **named):',
                '        return 1 + function(*arguments, **named)', '    return wrapper'],
    'plain': ['def plain(function):', '    def wrapper(*arguments, **named):',
              '        return 2 + function(*arguments, **named)', '    return wrapper'],
    'scaled': ['def scaled(by):', '    def decorate(function):', '        @functools.wraps(function)',
               '        def wrapper(*arguments, **named):',
               '            return by * function(*arguments, **named)', '        return wrapper',
               '    return decorate'],
    'finished': ['def finished(coroutine):', '    try:', '        coroutine.send(None)',
                 '    except StopIteration as stop:', '        return stop.value'],
    'marked': ['def marked(mark):', '    def decorate(made):', '        made.mark = mark',
               '        return made', '    return decorate'],
    'listed': ['REGISTRY = {}', 'def listed(function):',
               '    REGISTRY[function.__name__] = function', '    return function'],
}


ENUMS = ['enum.Enum', 'enum.IntEnum', 'int, enum.Enum', 'str, enum.Enum']


# What asks a function for its value that gives none when it is called.
ASKED = {'generator': 'next({}, 7)', 'async': 'finished({})', 'context': '{}.__enter__()',
         'dispatch': '{}'}


class Raw(Assign):
    """Lines as they are: the decorators that every program may use."""

    def __init__(self, name, lines):
        Assign.__init__(self, name, '', 'raw')
        self.raw = lines

    def text(self, kept):
        return self.raw


class Scope:
    """What an expression may use: integers, and callables with a place for one argument."""

    def __init__(self, integers=(), calls=(), counters=(), caches=(), logs=(), constants=()):
        self.integers, self.calls = list(integers), list(calls)
        self.counters, self.caches, self.logs = list(counters), list(caches), list(logs)
        self.constants = list(constants)    # of the module itself

    def copy(self):
        return Scope(self.integers, self.calls, self.counters, self.caches, self.logs, self.constants)


class Maker:
    def __init__(self, random, program=None):
        self.random, self.program, self.serial = random, program or Program(), 0

    def chance(self, share):
        return self.random.random() < share

    def fresh_name(self, stem):
        taken = {item.name for _, _, item in self.program.walk()}
        while True:
            self.serial += 1
            if stem + str(self.serial) not in taken:
                return stem + str(self.serial)

    def number(self):
        return str(self.random.randint(1, 99))

    # What is in reach at the end of `module`, or before the item `until`.

    def scope(self, module, until=None, qualifier=''):
        scope = Scope()
        for item in module.items:
            if item is until:
                break
            if isinstance(item, Import) and not qualifier:
                self.reach_import(scope, item)
            else:
                self.reach(scope, item, qualifier)
        return scope

    def reach_import(self, scope, item):
        origin = self.program.find(item.module)
        if origin is None:
            return
        if item.imported is None:
            other = self.scope(origin, None, item.module + '.')
            scope.integers += other.integers
            scope.calls += other.calls
            return
        if item.imported == '*':
            for each in origin.items:
                if not isinstance(each, Import) and getattr(each, 'kind', None) != 'counter':
                    self.reach(scope, each, '', each.name)
            return
        found = origin.find(item.imported)
        if found and not (isinstance(found, Assign) and found.kind == 'counter'):
            self.reach(scope, found, '', item.name)

    def reach(self, scope, item, qualifier, alias=None):
        name = qualifier + (alias or item.name)
        if isinstance(item, Assign):
            if item.kind in ('constant', 'derived', 'counter', 'store', 'augmented', 'temporary'):
                scope.integers.append(name)
            elif item.kind in ('closure', 'lambda'):
                scope.calls.append(name + '({})')
            elif item.kind == 'object':
                scope.integers.append(name + '.n')
            if not qualifier and item.kind in ('counter', 'cache', 'log'):
                getattr(scope, item.kind + 's').append(name)
            if not qualifier and not alias and item.kind == 'constant':
                scope.constants.append(name)
        elif isinstance(item, Function) and item.role in ASKED:
            scope.calls.append(ASKED[item.role].format(name + '({})'))
        elif isinstance(item, Function) and item.role in ('plain', 'factory'):
            again = '(2)' if item.role == 'factory' else ''
            scope.calls.append(name + '({})' + again)
        elif isinstance(item, Class):
            self.reach_class(scope, item, name)

    def reach_class(self, scope, item, name):
        if item.kind == 'enum' and item.bases != ['str, enum.Enum']:
            scope.integers += ['%s.%s.value' % (name, x.name) for x in item.items
                               if isinstance(x, Assign)]
        elif item.kind not in ('enum', 'exception'):
            scope.calls.append(name + '({}).n')
            for x in item.items:
                if isinstance(x, Assign) and x.kind == 'constant':
                    scope.integers.append('%s.%s' % (name, x.name))
                elif isinstance(x, Function) and x.role in ('static', 'class'):
                    scope.calls.append('%s.%s({})' % (name, x.name))
                elif isinstance(x, Function) and x.role == 'method':
                    scope.calls.append('%s(3).%s({})' % (name, x.name))

    # Expressions and bodies

    def expression(self, scope, depth=2):
        choice = self.random.randrange(10)
        if depth == 0 or choice < 2 or not (scope.integers or scope.calls):
            return self.random.choice(scope.integers) if scope.integers and self.chance(.7) \
                else self.number()
        inner = self.expression(scope, depth - 1)
        if choice < 5 and scope.calls:
            return self.random.choice(scope.calls).format(inner)
        if choice < 8:
            return '%s %s %s' % (inner, self.random.choice('+-+'),
                                 self.expression(scope, depth - 1))
        if choice == 8:
            if not re.search('[a-z]', inner, re.I):  # not for the compiler to decide
                inner = 'len(str(%s))' % inner
            return '(%s if %s %% 2 else %s)' % (self.expression(scope, 0), inner, self.number())
        return 'sum([%s for each in range(2)])' % self.expression(
            Scope(scope.integers + ['each'], scope.calls), depth - 1)

    def statement(self, scope):
        """A statement or two; may put a local name in reach."""
        choice = self.random.randrange(10)
        value = self.expression(scope)
        if choice < 2:
            scope.integers.append('local')
            return ['local = ' + value]
        if choice == 2:
            return ['if %s > %s:' % (value, self.number()), INDENT + 'return ' +
                    self.expression(scope, 1)]
        if choice == 3:
            lines = ['local = 0', 'for each in range(3):', INDENT + 'local += %s + each' % value]
        elif choice == 4:
            lines = ['try:', INDENT + 'local = ' + value, 'except ValueError:',
                     INDENT + 'local = ' + self.number()]
        elif choice == 5:
            lines = ['inner = lambda y: y + ' + value, 'local = inner(%s)' % self.number()]
        elif choice == 6:
            lines = ['def nested(y, z=%s):' % self.number(), INDENT + 'return y + z + ' + value,
                     'local = nested(%s)' % self.number()]
        elif choice == 7:
            lines = ['local = ' + value, 'def bump(y):', INDENT + 'nonlocal local',
                     INDENT + 'local += y', INDENT + 'return local', 'local = bump(%s) + local' % self.number()]
        elif choice == 8 and scope.counters:
            counter = self.random.choice(scope.counters)
            lines = ['global ' + counter, '%s += %s' % (counter, self.number()),
                     'local = ' + counter]
        elif scope.caches and self.chance(.5):
            lines = ['local = %s.setdefault(%s, %s)' % (self.random.choice(scope.caches),
                                                        self.number(), value)]
        elif scope.logs:
            log = self.random.choice(scope.logs)
            lines = ['%s.append(%s)' % (log, self.number()), 'local = len(%s)' % log]
        else:
            lines = ['local = ' + value]
        scope.integers.append('local')
        return lines

    def body(self, scope, parameters):
        scope = scope.copy()
        scope.integers += [name for name, _ in parameters] * 2
        lines = []
        for line in [self.statement(scope) for _ in range(self.random.randrange(3))]:
            if line[0].startswith('global') and any(x.startswith('global') for x in lines):
                continue
            lines += line
        lines.sort(key=lambda line: not line.startswith('global'))
        return lines + ['return ' + self.expression(scope)]

    def parameters(self, scope):
        return [('x', None)] + [(name, self.default(scope)) for name in ('p', 'q')
                                if self.chance(.25)]

    def gather(self, made):
        """Gives it a default that is state."""
        made.parameters.append(('seen', '[]'))
        made.body = ['seen.append(x)'] + made.body
        made.body[-1] += ' + len(seen)'

    def default(self, scope):
        if not scope.constants or self.chance(.6):
            return self.number()
        return self.random.choice(['%s', '2 * %s']) % self.random.choice(scope.constants)

    # Items

    def function(self, scope, name=None):
        parameters = self.parameters(scope)
        made = Function(name or self.fresh_name('f'), parameters, self.body(scope, parameters))
        if self.chance(.2):
            made.role = self.random.choice(sorted(ASKED))
        elif self.chance(.1):
            self.gather(made)
        elif self.chance(.3):
            made.decorators = self.decorators()
        return made

    def decorators(self):
        choices = ['counted', 'plain', 'scaled(%s)' % self.number(), 'listed']
        return [x if self.chance(.6) else 'tools.' + x
                for x in self.random.sample(choices, 1 if self.chance(.8) else 2)]

    def factory(self, scope, name=None):
        """A function that returns a closure; the closure's own code is what edits change."""
        inner = Scope(['n', 'base', 'y'] + scope.integers, scope.calls)
        value = self.expression(inner)
        body = ['base = n + ' + self.number()]
        if self.chance(.5):
            body += ['return lambda y: n + base + y + ' + value]
        else:
            body += ['def closure(y):', INDENT + 'return n - base + y + ' + value,
                     'return closure']
        return Function(name or self.fresh_name('make'), [('n', None)], body, 'factory')

    def method(self, scope, owner, name=None):
        """Of any kind; `scope` is that of the module."""
        scope = scope.copy()
        role = self.random.choice(['method'] * 4 + ['static', 'class', 'property'] +
                                  ['settable'] * (owner.kind == 'class'))
        subject = {'class': 'cls', 'static': owner.name}.get(role, 'self')
        for item in owner.items:
            if isinstance(item, Assign) and item.kind in ('constant', 'derived'):
                scope.integers.append('%s.%s' % (subject, item.name))
            elif isinstance(item, Assign) and item.kind == 'log':
                scope.logs.append('%s.%s' % (subject, item.name))
            elif isinstance(item, Function) and item.name != name and \
                    (subject == 'self' or item.role in ('static', 'class')) and \
                    item.role in ('method', 'static', 'class'):
                scope.calls.append('%s.%s({})' % (subject, item.name))
        if subject == 'self' and owner.kind != 'enum':
            scope.integers += ['self.n', 'self.n']
        is_value = role in ('property', 'settable')
        parameters = [] if is_value else self.parameters(scope)
        name = name or self.fresh_name('value' if is_value else 'm')
        body = self.body(scope, parameters)
        made = Function(name, parameters, body, role)
        if role == 'method' and owner.kind == 'class' and owner.bases and self.chance(.4):
            self.call_super(made, owner)
        elif role == 'method' and self.chance(.15):
            made.decorators = self.decorators()
        elif role in ('method', 'static', 'class') and self.chance(.1):
            self.gather(made)
        return made

    def call_super(self, made, owner):
        """It takes the name of a method of a base and calls it."""
        for _, _, item in self.program.walk():
            if isinstance(item, Class) and item.name == owner.bases[0].split('.')[-1]:
                names = [x.name for x in item.items if isinstance(x, Function)
                         and x.role == 'method' and not owner.find(x.name)]
                if names:
                    made.name = self.random.choice(names)
                    made.body[-1] += ' + super().%s(x)' % made.name

    def klass(self, module, scope, name=None):
        kind = self.random.choice(['class'] * 5 + ['dataclass', 'enum', 'exception'])
        made = Class(name or self.fresh_name('K'), [], [], kind)
        if kind == 'class':
            made.bases = self.bases(module)
            if not made.bases or self.chance(.3):
                call = ['super().__init__(n)'] if made.bases else []
                made.items.append(Function('__init__', [('n', None)], call + [
                    'self.n = n', 'self.k = ' + self.expression(scope, 1)], 'init'))
        elif kind == 'dataclass':
            made.bases = self.bases(module, kind)[:1]
            made.items.append(Assign('n', None, 'field'))
            for _ in range(self.random.randrange(3)):
                made.items.append(Assign(self.fresh_name('d'), self.number(), 'field'))
        elif kind == 'enum':
            made.bases = [self.random.choice(ENUMS)]
            for value in self.random.sample(range(1, 50), 3):
                made.items.append(Assign(self.fresh_name('E'), str(value), 'member'))
        else:
            made.bases = ['Exception']
        if kind == 'class' and self.chance(.2):
            made.decorators = ['marked(%s)' % self.number()]
        if kind == 'class' and self.chance(.4):
            made.items.append(Assign(self.fresh_name('C'), self.number(), 'constant'))
            if self.chance(.5):
                made.items.append(Assign(self.fresh_name('D'), '%s + %s' % (
                    made.items[-1].name, self.expression(scope, 0)), 'derived'))
        if kind == 'class' and self.chance(.4):
            made.items.append(Assign(self.fresh_name('seen'), '[]', 'log'))
        for _ in range(self.random.randint(1, 3)):
            made.items.append(self.method(scope, made))
        if kind == 'class' and self.chance(.15):
            made.items.append(self.nested(module, scope))
        if kind == 'class':
            self.hold_object(module, made)
        return made

    def hold_object(self, module, owner):
        names = [x.name for x in module.items if isinstance(x, Class) and
                 x.kind in ('class', 'dataclass')]
        if names and self.chance(.3):
            owner.items.append(Assign(self.fresh_name('object'), '%s(%s)' % (
                self.random.choice(names), self.number()), 'object'))

    def nested(self, module, scope):
        made = Class(self.fresh_name('Inner'), [], [])
        if self.chance(.5):
            made.items.append(Assign(self.fresh_name('seen'), '[]', 'log'))
        made.items.append(self.method(Scope(scope.integers, scope.calls), Class('x', [], [])))
        made.items[-1].role, made.items[-1].decorators = 'static', []
        made.items[-1].body = self.body(Scope(scope.integers, scope.calls), [('x', None)])
        made.items[-1].parameters = [('x', None)]
        self.hold_object(module, made)
        return made

    def bases(self, module, kind='class'):
        """One or two earlier classes, or none, sometimes as an attribute of its module."""
        names = []
        for item in module.items:
            if isinstance(item, Class) and item.kind == kind:
                names.append(item.name)
            if isinstance(item, Import):
                origin = self.program.find(item.module)
                found = [x.name for x in origin.items if isinstance(x, Class) and
                         x.kind == kind] if origin else []
                if item.imported in found:
                    names.append(item.name)
                elif item.imported is None:
                    names += ['%s.%s' % (item.module, x) for x in found]
        if not names or self.chance(.5):
            return []
        return self.random.sample(names, min(len(names), 2 if self.chance(.5) else 1))

    def assignment(self, module, scope):
        kind = self.random.choice(['constant', 'constant', 'derived', 'counter', 'cache', 'log',
                                   'object', 'closure', 'table', 'lambda', 'store', 'augmented',
                                   'temporary'])
        value = {'constant': self.number, 'counter': self.number, 'cache': lambda: '{}',
                 'augmented': lambda: self.number() + ' + ' + self.number(), 'temporary': self.number,
                 'log': lambda: '[]', 'derived': lambda: self.expression(scope),
                 'lambda': lambda: 'lambda x: x + ' + self.expression(scope)}.get(kind)
        if value:
            return Assign(self.fresh_name(kind.upper()[0] if kind in ('constant', 'derived')
                                          else kind), value(), kind)
        wanted = {'store': lambda x: getattr(x, 'role', 0) == 'plain' or isinstance(x, Class),
                  'object': lambda x: isinstance(x, Class) and x.kind in ('class', 'dataclass'),
                  'closure': lambda x: isinstance(x, Function) and x.role == 'factory',
                  'table': lambda x: isinstance(x, Function) and x.role == 'plain'}[kind]
        names = [x.name for x in module.items if wanted(x)]
        if not names:
            return self.assignment(module, scope)
        name = self.random.choice(names)
        if kind == 'store':
            return Assign(self.fresh_name(name + '.limit'), self.number(), kind)
        value = "{'a': %s, 'b': functools.partial(%s, %s)}" % (name, name, self.number()) \
            if kind == 'table' else '%s(%s)' % (name, self.number())
        return Assign(self.fresh_name(kind), value, kind)

    def effect(self, scope):
        value = '%s.append(each + %s)' % (self.random.choice(scope.logs), self.number())
        if scope.calls and self.chance(.3):
            value = self.random.choice(scope.calls).format('each + ' + self.number())
        return Assign(self.fresh_name('effect'), value, 'effect')

    def item(self, module):
        scope = self.scope(module)
        if scope.logs and self.chance(.2):
            return self.effect(scope)
        choice = self.random.randrange(10)
        if choice < 4:
            return self.function(scope)
        if choice < 5:
            return self.factory(scope)
        return self.klass(module, scope) if choice < 7 else self.assignment(module, scope)

    def imports(self, module):
        made = []
        for other in self.program.modules:
            if other is module:
                continue
            made.append(Import(other.name))
            if other.name != 'tools' and self.chance(.15):
                made.append(Import(other.name, '*'))
            names = [x.name for x in other.items if not isinstance(x, (Import, Raw)) and
                     getattr(x, 'kind', None) not in ('store', 'effect')]
            for name in self.random.sample(names, min(len(names), self.random.randrange(3))):
                made.append(Import(other.name, name, name + '_' if self.chance(.2) else None))
                made[-1].wrap = self.random.choice(['if'] + [None] * 8)
        return made

    def make(self):
        tools = Module('tools')
        tools.items = [Raw(name, lines) for name, lines in sorted(DECORATORS.items())]
        self.program.modules.append(tools)
        for name in 'abcd'[:self.random.randint(1, 3)]:
            module = Module(name)
            module.items = [Import('tools')] + [Import('tools', x) for x in sorted(DECORATORS)]
            module.items += self.imports(module)[1:]
            self.program.modules.append(module)
            for _ in range(self.random.randint(2, 8)):
                module.items.append(self.item(module))
            self.blocks([item for item in module.items if not isinstance(item, Import)])
        return self.program

    @staticmethod
    def stays_out(item):
        """In a block it may happen again, or not follow the class above it; `del` has all of it run."""
        kind = getattr(item, 'kind', None)
        return kind in ('effect', 'temporary') or (kind == 'dataclass' and item.bases)

    def blocks(self, items):
        """Puts neighbours into blocks."""
        for number in range(self.random.randrange(3)):
            form = self.random.choice(sorted(BLOCKS))
            low = self.random.randrange(len(items))
            for item in items[low:low + self.random.randint(1, 4)]:
                if self.stays_out(item):
                    break
                item.block = item.block or (number, form)
