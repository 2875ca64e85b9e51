# SPDX-License-Identifier: MIT
"""Random edits: the next version of a program."""
import copy
import re

from generate import ENUMS, Raw
from program import BLOCKS, Assign, Class, Function, Import, numbers

# What else a function may become.
OTHER_ROLES = {'plain': ['generator', 'async'], 'generator': ['plain', 'async', 'context'],
               'async': ['plain'], 'context': ['generator'],
               'property': ['settable'], 'settable': ['property']}
NUMBER = re.compile(r'\b\d+\b')


class Editor:
    """Makes one version out of another. `maker` is given the new one to make items for."""

    def __init__(self, random, maker):
        self.random, self.maker = random, maker
        self.edits = [self.body, self.body, self.number, self.number, self.number, self.default,
                      self.decorators, self.add, self.add, self.remove, self.move, self.role,
                      self.bases, self.import_more, self.comment, self.doc, self.wrap,
                      self.add_to_class, self.add_to_class, self.value, self.parameter,
                      self.rename, self.other, self.mark, self.block, self.block]

    def functions(self):
        return [x for x in self.maker.program.walk() if isinstance(x[2], Function)]

    def items(self, kind):
        return [x for x in self.maker.program.walk() if isinstance(x[2], kind) and
                not isinstance(x[2], Raw)]

    def pick(self, among):
        return self.random.choice(among) if among else (None, None, None)

    def scope(self, module, around, item):
        return self.maker.scope(module, around[0] if around else item)

    def body(self):
        module, around, item = self.pick(self.functions())
        if not item or item.role == 'init':
            return
        scope = self.scope(module, around, item)
        if item.role == 'factory':
            # A lambda that becomes a `def`, or the other way, is another function.
            made = self.maker.factory(scope, item.name)
            while len(made.body) != len(item.body):
                made = self.maker.factory(scope, item.name)
            item.body = made.body
        elif around:
            role = item.role
            for _ in range(20):
                made = self.maker.method(scope, around[-1], item.name)
                if made.role == role and made.name == item.name:
                    item.body = made.body
                    break
        else:
            item.body = self.maker.body(scope, item.parameters)

    def number(self):
        """One number somewhere in a function becomes another."""
        _, _, item = self.pick(self.functions())
        if not item:
            return
        at = [n for n, line in enumerate(item.body) if NUMBER.search(line)
              and not line.startswith('base')]
        if at:
            n = self.random.choice(at)
            item.body[n] = NUMBER.sub(lambda _: self.maker.number(), item.body[n], 1)

    def default(self):
        module, around, item = self.pick([x for x in self.functions()
                                           if len(x[2].parameters) > 1])
        if item:
            name, _ = item.parameters[-1]
            item.parameters[-1] = name, self.maker.default(self.scope(module, around, item))

    def parameter(self):
        _, _, item = self.pick([x for x in self.functions() if x[2].role not in (
            'factory', 'property', 'settable', 'init')])
        if item and item.parameters and item.parameters[-1][0] != 'r':
            item.parameters.append(('r', self.maker.number()))
            item.body[-1] += ' + r'
        elif item and item.parameters and 'r' not in ''.join(item.body[:-1]):
            item.parameters.pop()
            item.body[-1] = item.body[-1].replace(' + r', '')

    def decorators(self):
        _, around, item = self.pick([x for x in self.functions()
                                     if x[2].role in ('plain', 'method') and not x[2].is_state()])
        if item and (not around or around[-1].kind == 'class'):
            item.decorators = [] if item.decorators and self.maker.chance(.5) \
                else self.maker.decorators()

    def add(self):
        module = self.random.choice(self.maker.program.modules[1:])
        module.items.append(self.maker.item(module))

    def add_to_class(self):
        module, around, item = self.pick(self.items(Class))
        if not item:
            return
        scope = self.scope(module, around, item)
        if item.kind == 'enum' and self.maker.chance(.5):
            at = len([x for x in item.items if isinstance(x, Assign)])
            item.items.insert(self.random.randint(0, at), Assign(
                self.maker.fresh_name('E'), str(self.random.randint(50, 99)), 'member'))
        elif item.kind == 'dataclass' and self.maker.chance(.5):
            at = len([x for x in item.items if isinstance(x, Assign)])
            item.items.insert(at, Assign(self.maker.fresh_name('d'), self.maker.number(), 'field'))
        elif item.kind == 'class' and self.maker.chance(.3):
            item.items.insert(0, Assign(self.maker.fresh_name('C'), self.maker.number(),
                                        'constant'))
        else:
            item.items.append(self.maker.method(scope, item))

    def remove(self):
        module, around, item = self.pick([x for x in self.items((Function, Class, Assign))
                                          if x[2].name not in ('n', '__init__')])
        if item:
            (around[-1] if around else module).items.remove(item)

    def move(self):
        module, around, item = self.pick(self.items((Function, Class, Assign)))
        if item and not isinstance(item, Assign):
            items = (around[-1] if around else module).items
            items.remove(item)
            item.block = None
            place = self.random.randint(0, len(items))
            around = {x.block for x in items[max(place - 1, 0):place + 1]}
            items.insert(place if around == {None} or len(around) > 1 else len(items), item)

    def role(self):
        _, around, item = self.pick([x for x in self.functions() if x[2].role in (
            'static', 'class')])
        if item and not any('cls' in line for line in item.body):
            item.role = 'class' if item.role == 'static' else 'static'
        _, _, item = self.pick([x for x in self.functions() if x[2].role in OTHER_ROLES and
                                not x[2].decorators and (not x[1] or x[1][-1].kind == 'class')])
        if item and self.maker.chance(.3):
            item.role = self.random.choice(OTHER_ROLES[item.role])

    def other(self):
        _, _, item = self.pick([x for x in self.functions()
                                if x[2].role in ('settable', 'dispatch')])
        if item:
            item.other = self.maker.number()

    def mark(self):
        """The argument of a class's decorator, or a decorator."""
        _, around, item = self.pick([x for x in self.items(Class) if x[2].kind == 'class'])
        if item and not around:
            item.decorators = ['marked(%s)' % self.maker.number()]

    def rename(self):
        """Everywhere. What is called otherwise is another thing."""
        _, _, item = self.pick([x for x in self.items((Function, Class, Assign))
                                if x[2].name not in ('n', '__init__')])
        if not item or getattr(item, 'kind', None) == 'effect':
            return
        old, new = item.name, self.maker.fresh_name(item.name.rstrip('0123456789'))
        for _, around, each in self.maker.program.walk():
            if item in around + [each]:
                each.uid = next(numbers)
            self.replace(each, lambda text, word=r'\b%s\b' % old: re.sub(word, new, text))

    @staticmethod
    def replace(item, change):
        """In whatever text the item has."""
        for field, value in vars(item).items():
            if field in ('name', 'value', 'imported') and value:
                setattr(item, field, change(value))
            elif field in ('body', 'bases'):
                setattr(item, field, [change(line) for line in value])
            elif field == 'parameters':
                item.parameters = [(name, default and change(default)) for name, default in value]

    def bases(self):
        module, around, item = self.pick([x for x in self.items(Class)
                                          if x[2].kind in ('class', 'enum')])
        if item and item.kind == 'enum':
            item.bases = [self.random.choice(ENUMS)]
        elif item and not around and item.bases:
            whole, module.items = module.items, module.items[:module.items.index(item)]
            item.bases = item.bases[::-1] if len(item.bases) > 1 and self.maker.chance(.5) \
                else self.maker.bases(module) or item.bases
            module.items = whole

    def import_more(self):
        modules = self.maker.program.modules
        if len(modules) < 3:
            return
        at = self.random.randint(2, len(modules) - 1)
        module, other = modules[at], modules[self.random.randint(1, at - 1)]
        names = [x.name for x in other.items if not isinstance(x, Import) and
                 getattr(x, 'kind', None) not in ('store', 'effect')]
        if names:
            made = Import(other.name, self.random.choice(names))
            module.items.insert(5, made)
            module.items.append(self.maker.function(self.maker.scope(module)))

    def comment(self):
        _, _, item = self.pick(self.items((Function, Class, Assign)))
        if item:
            item.comment = 'version ' + self.maker.number()

    def doc(self):
        things = [x[2] for x in self.items((Function, Class))
                  if isinstance(x[2], Class) or not x[2].decorators]
        things += self.maker.program.modules[1:]
        self.random.choice(things).doc = self.random.choice(
            [None, 'Described %s.' % self.maker.number()])

    def wrap(self):
        _, _, item = self.pick(self.items(Function) + [x for x in self.items(Import) if x[2].imported not in ('*', None)])
        if item and not item.block:
            # An import that fails in `try` leaves to importers what there was.
            item.wrap = self.random.choice([None, 'if'] if isinstance(item, Import) else [None, 'if', 'try'])

    def block(self):
        """Neighbours come into a block, or into another, or out of theirs; what was in one with them is split.
        Not where one is made of another: such things are made anew together."""
        module = self.random.choice(self.maker.program.modules[1:])
        items = [x for x in module.items if not isinstance(x, Import)]
        low = self.random.randrange(len(items) + 1)
        part = items[low:low + self.random.randint(1, 4)]
        touched = [x for x in items if x in part or (x.block and x.block in [y.block for y in part])]
        form = self.random.choice([None] + sorted(set(BLOCKS) - {'finally'}))
        forms = [form] + [x.block[1] for x in touched if x.block]
        if any(self.maker.stays_out(x) for x in touched) or self.are_related(touched) or \
                (set(forms) & {'with', 'nested'} and not all(map(self.is_plain, touched))):
            return
        made, rest = form and (next(numbers), form), next(numbers)
        for item in touched:
            if item in part:
                item.block = made
            elif items.index(item) > low:
                item.block = rest, item.block[1]

    @staticmethod
    def is_plain(item):
        """Does it depend on nothing, so that it is the same in any context?"""
        return getattr(item, 'kind', None) in ('constant', 'counter', 'cache', 'log') or (
            isinstance(item, Function) and item.role == 'plain' and not item.decorators)

    @staticmethod
    def are_related(items):
        """Does one say the name of another outside of a function's body?"""
        names = {x.name.split('.')[0] for x in items}
        for item in items:
            said = item.decorators + [item.signature()] if isinstance(item, Function) else item.text(None)
            said = re.sub(r'^(class|def) \w+|^\w+ = ', '', '\n'.join(said))
            if names & set(re.findall(r'\w+', said)):
                return True
        return False

    def value(self):
        """What an assignment assigns; for a state that is a fresh start of it."""
        module, around, item = self.pick(self.items(Assign))
        if not item or item.kind in ('cache', 'log', 'table') or item.value is None:
            return
        if item.kind == 'member':
            item.value = str(self.random.randint(100, 200))
        elif item.kind in ('derived', 'lambda') and self.maker.chance(.5):
            start = 'lambda x: x + ' if item.kind == 'lambda' else ''
            item.value = start + self.maker.expression(self.scope(module, around, item))
        else:
            item.value = NUMBER.sub(lambda _: self.maker.number(), item.value, 1)

    def edit(self):
        for _ in range(self.random.randint(1, 4)):
            self.random.choice(self.edits)()


def next_version(random, make_maker, program):
    made = copy.deepcopy(program)
    Editor(random, make_maker(random, made)).edit()
    return made
