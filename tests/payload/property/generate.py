# SPDX-License-Identifier: MIT
"""Random programs: what a maker knows of names in reach, and the items that it makes of them.

Every value that a program computes is a small integer, so that a probe's answer tells which
version of each function took part in it. Functions call only what was made before them; so
nothing recurs without end. A program that cannot run is no harm: its world says so and it is
dropped.
"""
from program import BLOCKS, Assign, Class, Function, Held, Import, INDENT, Module, Program, indented

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
    'listed': ['REGISTRY = {}', 'def listed(function):',
               '    REGISTRY[function.__name__] = function', '    return function'],
}


ENUMS = ['enum.Enum', 'enum.IntEnum', 'int, enum.Enum', 'str, enum.Enum']
# How somebody may hold an object, and how to get it from there.
WAYS = [('{0}', '{0}'), ("{{'key': {0}}}", "{0}['key']"), ('({0}, 1)', '{0}[0]'),
        ('{{({0}, 1): 2}}', 'list({0})[0][0]'), ('{{{0}: 3}}', 'list({0})[0]'),
        ('frozenset([({0}, 2)])', 'list({0})[0][0]'), ('collections.OrderedDict([({0}, 4)])', 'list({0})[0]'),
        ('[{0}, 5, {0}]', '{0}[2]'), ('collections.deque([{0}, {0}])', '{0}[1]'),
        ('functools.partial(id, {0})', '{0}.args[0]'), ('itertools.repeat({0})', 'next({0})'),
        ('itertools.cycle([{0}])', 'next({0})'), ('types.MappingProxyType({{6: {0}}})', '{0}[6]'),
        ('types.MethodType(id, {0})', '{0}.__self__'),
        ('(lambda value: lambda: value)({0})', '{0}()'), ('weakref.ref({0})', '{0}()')]


class Raw(Assign):
    """Lines as they are: the decorators that every program may use."""

    def __init__(self, name, lines):
        Assign.__init__(self, name, '', 'raw')
        self.raw = lines

    def text(self, kept):
        return self.raw


class Scope:
    """What an expression may use: integers, and callables with a place for one argument."""

    def __init__(self, integers=(), calls=(), counters=(), caches=(), logs=()):
        self.integers, self.calls = list(integers), list(calls)
        self.counters, self.caches, self.logs = list(counters), list(caches), list(logs)

    def copy(self):
        return Scope(self.integers, self.calls, self.counters, self.caches, self.logs)


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
        found = origin.find(item.imported)
        if found and not (isinstance(found, Assign) and found.kind == 'counter'):
            self.reach(scope, found, '', item.name)

    def reach(self, scope, item, qualifier, alias=None):
        name = qualifier + (alias or item.name)
        if isinstance(item, Assign):
            if item.kind in ('constant', 'derived', 'counter'):
                scope.integers.append(name)
            elif item.kind in ('closure', 'lambda'):
                scope.calls.append(name + '({})')
            elif item.kind == 'object':
                scope.integers.append(name + '.n')
            if not qualifier and item.kind in ('counter', 'cache', 'log'):
                getattr(scope, item.kind + 's').append(name)
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
            if inner.isdigit():  # not for the compiler to decide
                inner = 'len(str(%s))' % inner
            return '(%s if %s %% 2 else %s)' % (self.expression(scope, 0), inner, self.number())
        return 'sum([%s for each in range(2)])' % self.expression(
            Scope(scope.integers + ['each'], scope.calls), depth - 1)

    def statement(self, scope):
        """A statement or two; may put a local name in reach."""
        choice = self.random.randrange(9)
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
        elif choice == 7 and scope.counters:
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

    def parameters(self):
        return [('x', None)] + [(name, self.number()) for name in ('p', 'q')
                                if self.chance(.25)]

    # Items

    def function(self, scope, name=None):
        parameters = self.parameters()
        made = Function(name or self.fresh_name('f'), parameters, self.body(scope, parameters))
        if self.chance(.3):
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
        role = self.random.choice(['method'] * 4 + ['static', 'class', 'property'])
        subject = {'class': 'cls', 'static': owner.name}.get(role, 'self')
        for item in owner.items:
            if isinstance(item, Assign) and item.kind == 'constant':
                scope.integers.append('%s.%s' % (subject, item.name))
            elif isinstance(item, Assign) and item.kind == 'log':
                scope.logs.append('%s.%s' % (subject, item.name))
            elif isinstance(item, Function) and item.name != name and \
                    (subject == 'self' or item.role in ('static', 'class')) and \
                    item.role in ('method', 'static', 'class'):
                scope.calls.append('%s.%s({})' % (subject, item.name))
        if subject == 'self' and owner.kind != 'enum':
            scope.integers += ['self.n', 'self.n']
        parameters = [] if role == 'property' else self.parameters()
        name = name or self.fresh_name('value' if role == 'property' else 'm')
        body = self.body(scope, parameters)
        made = Function(name, parameters, body, role)
        if role == 'method' and owner.kind == 'class' and owner.bases and self.chance(.4):
            self.call_super(made, owner)
        elif role == 'method' and self.chance(.15):
            made.decorators = self.decorators()
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
            made.items.append(Assign('n', None, 'field'))
            for _ in range(self.random.randrange(3)):
                made.items.append(Assign(self.fresh_name('d'), self.number(), 'field'))
        elif kind == 'enum':
            made.bases = [self.random.choice(ENUMS)]
            for value in self.random.sample(range(1, 50), 3):
                made.items.append(Assign(self.fresh_name('E'), str(value), 'member'))
        else:
            made.bases = ['Exception']
        if kind == 'class' and self.chance(.4):
            made.items.append(Assign(self.fresh_name('C'), self.number(), 'constant'))
        if kind == 'class' and self.chance(.4):
            made.items.append(Assign(self.fresh_name('seen'), '[]', 'log'))
        for _ in range(self.random.randint(1, 3)):
            made.items.append(self.method(scope, made))
        if kind == 'class' and self.chance(.15):
            made.items.append(self.nested(scope))
        return made

    def nested(self, scope):
        made = Class(self.fresh_name('Inner'), [], [])
        made.items.append(self.method(Scope(scope.integers, scope.calls), Class('x', [], [])))
        made.items[0].role = 'static'
        made.items[0].body = self.body(Scope(scope.integers, scope.calls), [('x', None)])
        return made

    def bases(self, module):
        """One earlier class, or none, sometimes as an attribute of its module."""
        names = []
        for item in module.items:
            if isinstance(item, Class) and item.kind == 'class':
                names.append(item.name)
            if isinstance(item, Import):
                origin = self.program.find(item.module)
                found = [x.name for x in origin.items if isinstance(x, Class) and
                         x.kind == 'class'] if origin else []
                if item.imported in found:
                    names.append(item.name)
                elif item.imported is None:
                    names += ['%s.%s' % (item.module, x) for x in found]
        return [self.random.choice(names)] if names and self.chance(.5) else []

    def assignment(self, module, scope):
        kind = self.random.choice(['constant', 'constant', 'derived', 'counter', 'cache', 'log',
                                   'object', 'closure', 'table', 'lambda'])
        value = {'constant': self.number, 'counter': self.number, 'cache': lambda: '{}',
                 'log': lambda: '[]', 'derived': lambda: self.expression(scope),
                 'lambda': lambda: 'lambda x: x + ' + self.expression(scope)}.get(kind)
        if value:
            return Assign(self.fresh_name(kind.upper()[0] if kind in ('constant', 'derived')
                                          else kind), value(), kind)
        wanted = {'object': lambda x: isinstance(x, Class) and x.kind in ('class', 'dataclass'),
                  'closure': lambda x: isinstance(x, Function) and x.role == 'factory',
                  'table': lambda x: isinstance(x, Function) and x.role == 'plain'}[kind]
        names = [x.name for x in module.items if wanted(x)]
        if not names:
            return self.assignment(module, scope)
        name = self.random.choice(names)
        value = "{'a': %s, 'b': functools.partial(%s, %s)}" % (name, name, self.number()) \
            if kind == 'table' else '%s(%s)' % (name, self.number())
        return Assign(self.fresh_name(kind), value, kind)

    def item(self, module):
        scope = self.scope(module)
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
            names = [x.name for x in other.items if not isinstance(x, (Import, Raw))]
            for name in self.random.sample(names, min(len(names), self.random.randrange(3))):
                made.append(Import(other.name, name, name + '_' if self.chance(.2) else None))
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

    def blocks(self, items):
        """Puts neighbours into blocks."""
        for number in range(self.random.randrange(3)):
            form = self.random.choice(sorted(BLOCKS))
            low = self.random.randrange(len(items))
            for item in items[low:low + self.random.randint(1, 4)]:
                item.block = item.block or (number, form)


def references(random, program):
    """What somebody holds of the program's objects."""
    made = []

    def hold(value, kind, probe, target):
        name = 'h%d' % (len(made) + 1)
        made.append(Held(name, value, kind, probe.format(name), target))
        return name

    for module, around, item in program.walk():
        path = '.'.join([module.name] + [c.name for c in around] + [item.name])
        if random.random() < .5:
            continue
        if isinstance(item, Function) and not around and item.role == 'plain':
            way = random.choice(['{0}', 'functools.partial({0}, 4)', "{{'key': {0}}}",
                                 '(lambda function: lambda: function(6))({0})',
                                 'map({0}, itertools.repeat(8))'])
            probe = {'{0}': '{0}(5)', "{{'key': {0}}}": "{0}['key'](5)",
                     'map({0}, itertools.repeat(8))': 'next({0})'}.get(way, '{0}()')
            hold(way.format(path), 'reference', probe, item)
        elif isinstance(item, Function) and not around and item.role == 'factory':
            hold(path + '(3)', 'closure', '{0}(5)', item)
        elif isinstance(item, Class) and item.kind in ('class', 'dataclass') and not around:
            owner = hold(path + '(7)', 'object', '{0}.n', item)
            for each in item.items:
                if isinstance(each, Function) and each.role in ('method', 'static', 'class'):
                    hold('%s.%s' % (owner, each.name), 'reference', '{0}(2)', each)
                elif isinstance(each, Function) and each.role == 'property':
                    hold(owner, 'reference', '{0}.' + each.name, each)
        elif isinstance(item, Class) and item.kind == 'enum':
            for member in item.items:
                if isinstance(member, Assign) and random.random() < .6:
                    ways = WAYS if item.bases == ['str, enum.Enum'] else WAYS[:-1]
                    way, back = random.choice(ways)
                    name = hold(way.format('%s.%s' % (path, member.name)), 'reference',
                                back + '.value', member)
                    made.append(Held(name, None, 'probe', '%s is %s.%s' % (
                        back.format(name), path, member.name), member))
        if isinstance(item, Class) and not around and random.random() < .5:
            way, back = random.choice(WAYS)
            name = hold(way.format(path), 'reference', back + '.__name__', item)
            made.append(Held(name, None, 'probe', '%s is %s' % (back.format(name), path), item))
            if way.startswith('{{('):
                made.append(Held(name, None, 'probe', '%s[%s, 1]' % (name, path), item))
            elif way.startswith('{{{'):
                made.append(Held(name, None, 'probe', '%s[%s]' % (name, path), item))
    return made


def probes(program, held):
    """Expressions that look at everything that a program offers."""
    made = [reference.probe for reference in held if reference.is_alive(program)]
    names = [item.name for _, _, item in program.walk() if isinstance(item, Class)]
    for module, around, item in program.walk():
        path = '.'.join([module.name] + [c.name for c in around] + [item.name])
        owner = '.'.join([module.name] + [c.name for c in around])
        if isinstance(item, Assign) and item.kind in ('constant', 'derived', 'counter', 'cache',
                                                      'log'):
            made.append(path)
        elif isinstance(item, Assign) and item.kind == 'member':
            made += [path + '.value', path + '.name']
        elif isinstance(item, Assign) and item.kind == 'object':
            made.append('sorted(vars(%s).items())' % path)
        elif isinstance(item, Assign) and item.kind in ('closure', 'lambda'):
            made.append(path + '(2)')
        elif isinstance(item, Assign) and item.kind == 'table':
            made += ["%s['a'](2)" % path, "%s['b']()" % path]
        elif isinstance(item, Function):
            made += look_at_function(item, path, owner, around)
        elif isinstance(item, Class):
            made += look_at_class(item, path, names)
    return made


def look_at_function(item, path, owner, around):
    if item.role == 'factory':
        return [path + '(2)(3)']
    if item.role in ('plain', 'static', 'class') and (not around or around[-1].kind != 'enum' or
                                                      item.role != 'plain'):
        return [path + '(3)', path + '.__doc__']
    made = owner + '(4)' if around[-1].kind != 'enum' else 'list(%s)[0]' % owner
    if item.role == 'method':
        return ['%s.%s(3)' % (made, item.name)]
    return ['%s.%s' % (made, item.name)] if item.role == 'property' else []


def look_at_class(item, path, names):
    if item.kind == 'enum':
        return ['[x.name for x in %s]' % path, '%s(%s).name' % (
            path, next((x.value for x in item.items if isinstance(x, Assign)), 0))]
    if item.kind == 'dataclass':
        return ['repr(%s(5))' % path, '%s(5) == %s(5)' % (path, path)]
    return ['[x.__name__ for x in %s.__mro__]' % path, path + '.__doc__',
            'sorted(x.__name__ for x in %s.__subclasses__() if x.__name__ in %r)' % (path, names)]
