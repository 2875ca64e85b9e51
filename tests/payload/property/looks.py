# SPDX-License-Identifier: MIT
"""Who holds what of a random program, and the expressions that look at it."""
from generate import ASKED
from program import Assign, Class, Function, Held

# How somebody may hold an object, and how to get it from there.
WAYS = [('{0}', '{0}'), ("{{'key': {0}}}", "{0}['key']"), ('({0}, 1)', '{0}[0]'),
        ('{{({0}, 1): 2}}', 'list({0})[0][0]'), ('{{{0}: 3}}', 'list({0})[0]'),
        ('frozenset([({0}, 2)])', 'list({0})[0][0]'), ('collections.OrderedDict([({0}, 4)])', 'list({0})[0]'),
        ('[{0}, 5, {0}]', '{0}[2]'), ('collections.deque([{0}, {0}])', '{0}[1]'),
        ('functools.partial(id, {0})', '{0}.args[0]'), ('itertools.repeat({0})', 'next({0})'),
        ('itertools.cycle([{0}])', 'next({0})'), ('types.MappingProxyType({{6: {0}}})', '{0}[6]'),
        ('types.MethodType(id, {0})', '{0}.__self__'),
        ('(lambda value: lambda: value)({0})', '{0}()'), ('weakref.ref({0})', '{0}()')]


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
        elif isinstance(item, Function) and item.role in ASKED:
            hold(path, 'reference', ASKED[item.role].format('{0}(5)'), item)
        elif isinstance(item, Function) and not around and item.role == 'factory':
            hold(path + '(3)', 'closure', '{0}(5)', item)
        elif isinstance(item, Class) and item.kind in ('class', 'dataclass') and not around:
            owner = hold(path + '(7)', 'object', '{0}.n', item)
            for each in item.items:
                if isinstance(each, Function) and each.role in ('method', 'static', 'class'):
                    hold('%s.%s' % (owner, each.name), 'reference', '{0}(2)', each)
                elif isinstance(each, Function) and each.role in ('property', 'settable'):
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
                                                      'log', 'store', 'augmented', 'temporary'):
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
    if item.role == 'dispatch':
        return [path + '(3)', path + '("")']
    if item.role in ASKED:
        return [ASKED[item.role].format(path + '(3)'), path + '.__doc__']
    if item.role == 'factory':
        return [path + '(2)(3)']
    if item.role in ('plain', 'static', 'class') and (not around or around[-1].kind != 'enum' or
                                                      item.role != 'plain'):
        return [path + '(3)', path + '.__doc__']
    made = owner + '(4)' if around[-1].kind != 'enum' else 'list(%s)[0]' % owner
    if item.role == 'method':
        return ['%s.%s(3)' % (made, item.name)]
    if item.role == 'settable':
        return ['[(setattr(it, %r, 3), it.%s, it.n) for it in [%s]]' % (item.name, item.name, made)]
    return ['%s.%s' % (made, item.name)] if item.role == 'property' else []


def look_at_class(item, path, names):
    if item.kind == 'enum':
        return ['[x.name for x in %s]' % path, '%s(%s).name' % (
            path, next((x.value for x in item.items if isinstance(x, Assign)), 0))]
    if item.kind == 'dataclass':
        return ['repr(%s(5))' % path, '%s(5) == %s(5)' % (path, path)]
    return ['[x.__name__ for x in %s.__mro__]' % path, path + '.__doc__', path + '.mark',
            'sorted(x.__name__ for x in %s.__subclasses__() if x.__name__ in %r)' % (path, names)]
