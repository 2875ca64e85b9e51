# SPDX-License-Identifier: MIT
#
# Clones of what did not change but leads to what did: new module code runs before the commit,
# and what it calls would see the constants and functions that the program has until then. So
# what refers by name to what the changed statements bind, straight or through others, has a
# clone in the shadow while they run, if they lead to it by name. What they keep of a clone
# becomes at the commit what it stands for. Python like classes.py, in the same globals, which
# have these besides: clones (list of (clone, what it stands for, 0)), class_texts (overlay.py,
# donor.py and classes.py, the last first, as far as they are not executed).
#
# A function is copied with the shadow for its namespace; so is what decorators made around it
# of plain closures. A class gets an overlay (overlay.py).
#
# The invariant: state is the program's own. A clone shares attributes, defaults and all cells
# but those of cloned functions. What lru_cache keeps may be objects that there shall be once:
# it has no clone.

hot, asked, known, spaces, pairs, overlays = set(), set(), {}, {}, [], []
dynamic = {'globals', 'vars', 'getattr', 'eval', 'exec'}


# found: (namespace, its shadow, statements that run, names and codes in them) of each module
def clone_all(found):
    todo, graph = set(), {}
    for live, fresh, statements, used in found:
        spaces[id(live)] = fresh
        hot.update(bound_by(statements))
        asked.update(used)
        for each in used:
            todo |= {each} if type(each) is str else names(each)
    while todo:
        name = todo.pop()
        if name not in graph:
            uses = graph[name] = set()
            for live, *others in found:
                add_uses(live.get(name), uses, set())
                if name in dynamic:
                    uses.update(live)
            todo |= uses
    count = 0
    while len(hot) > count:
        count = len(hot)
        hot.update([name for name in graph if not hot.isdisjoint(graph[name])])
    for live, fresh, statements, used in found:
        for name in set(graph) - bound_by(statements):
            made = clone(live.get(name))
            if made is not live.get(name):
                fresh[name] = made
    for namespace, parts, kept, donors in classes:
        for qualname in parts:
            if qualname.rpartition('.')[2] in graph:  # for cover(), in overlay.py
                list(map(clone, list(names_of(parts[qualname][0]).values())))
    return pairs


def bound_by(statements):
    return {name for statement in statements for name in statement[2]}


# no name leads to a clone any more
def drop_all():
    lives = {id(made): live for made, live in pairs}
    for fresh in spaces.values():
        for name, value in list(fresh.items()):
            fresh[name] = lives.get(id(value), value)
    for each in known, spaces, pairs, overlays, asked:
        each.clear()


def add_uses(value, uses, seen):
    if id(value) in seen:
        return
    seen.add(id(value))
    inside = ()
    if type(value) is type(clone):
        inside = map(contents, value.__closure__ or ())
        if id(value.__globals__) in spaces:
            uses |= names(value.__code__)
    elif type(value) is property:
        inside = value.fget, value.fset, value.fdel
    elif type(value) is staticmethod or type(value) is classmethod:
        inside = value.__func__,
    elif type(value) is type:
        uses.add(value.__name__)
        inside = list(vars(value).values()) + list(value.__bases__)
    for each in inside:
        add_uses(each, uses, seen)


def names(code):
    out = set(code.co_names)
    for each in code.co_consts:
        if type(each) is type(code):
            out |= names(each)
    return out


def contents(cell):
    try:
        return cell.cell_contents
    except ValueError:
        pass


def clone(value):
    for kind, make in makers:
        if type(value) is kind and id(value) not in known:
            known[id(value)] = value
            made = make(value)
            if made is not value:
                known[id(value)] = made
                pairs.append((made, value))
    return known.get(id(value), value)


def clone_function(f):
    old = f.__closure__ or ()
    cells = tuple(map(clone_cell, old))
    is_hot = id(f.__globals__) in spaces and not hot.isdisjoint(names(f.__code__))
    if not is_hot and all(map(is_same, cells, old)):
        return f
    return copy(f, spaces.get(id(f.__globals__), f.__globals__), cells)


def clone_cell(cell):
    value = contents(cell)
    made = clone(value) if type(value) is type(clone) else value
    return cell if made is value else cell_of(made)


def clone_wrapped(value):
    made = clone(value.__func__)
    return value if made is value.__func__ else type(value)(made)


def clone_property(value):
    old = value.fget, value.fset, value.fdel
    new = tuple(map(clone, old))
    return value if all(map(is_same, old, new)) else property(*new + (value.__doc__,))


def clone_class(live):
    compile_classes()
    return make_overlay(live)


def compile_classes():
    while class_texts:
        exec(compile(class_texts.pop(), '<pyhotpatch>', 'exec'), globals())


def is_same(a, b):
    return a is b


makers = ((type(clone), clone_function), (staticmethod, clone_wrapped), (classmethod, clone_wrapped),
          (property, clone_property), (type, clone_class))
