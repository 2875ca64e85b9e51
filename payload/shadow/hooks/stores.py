# SPDX-License-Identifier: MIT
#
# What statements store in attributes of functions and classes, and in items of dicts under
# constants: `f.limit = 1`, `C.m.__doc__ = X`, `TABLE[1] = f`. Python like start.py, in the same
# globals, which have these besides: numbers (the first of struct opcodes), common (world.h), sets (a
# list of (object, key, value), without a value where there shall be none, for the plan).
#
# Where the statement did not change and what it stores in is made anew, that gets what the old one
# has. Where it runs it stores in what the program has, if that did not change: this is taken back
# until the commit. Where it is gone, so is what it stored, if that is the constant that it said or
# what has the name.
#
# The invariant: no code of the program is called.

plain = str, int, bytes, bool, float, type(None)
attribute, item, named, constant, dot, extended = numbers[:6]


# (path to the object, key) -> what puts the value on the stack, and its name or constant
def stores_of(code):
    out = {}
    for each, outer in bodies(code) if code else ():
        path, last, high, value = (), (0, 0), 0, 0
        for op, number in zip(each.co_code[::2], each.co_code[1::2]):
            number |= high << 8
            high = number if op == extended else 0
            if op in (0, extended):
                continue
            if attribute > 108 and op in (named + 1, constant - 1):  # 3.14: LOAD_SMALL_INT, LOAD_COMMON_CONSTANT
                op, value = constant, number if op > named else common[number]
            elif op == constant:
                value = each.co_consts[number]
            elif op in (named, attribute, dot):
                value = each.co_names[number >> (op == dot and modules['sys'].hexversion > 0x30c0000)]
            if op == named:
                path, said = (value,), last
            elif path and op in (dot, constant):
                path += value,
            else:
                if path and op == attribute:
                    out[outer + path, value] = said
                if path[1:] and op == item and last[0] == constant:
                    out[outer + path[:-1], path[-1]] = said
                path = ()
            last = op, value
    return out


def note_stores(run, namespace, live, gone, stars, new, old):
    runs, all, was = map(stores_of, (run, new, old))
    given.extend((namespace, live) + each for each in all if each not in runs)
    for body, outer in bodies(new):  # that a class's body says it now
        all.update(((outer, each), 0) for each in body.co_names)
    for each in list(runs) + [each for each in was if each not in all]:
        owner = where_in(live, *each)
        if owner is not None:
            saved.append((owner, each[1], get(owner, each[1]), live, was[each] if each not in all else None))


# where the key is: a function has what its type does not know in a dict
def where_in(names, path, key):
    owner = names.get(path[0])
    for each in path[1:]:
        owner = names_of(owner).get(each) if issubclass(type(owner), type) else None
    if type(owner) is type(where_in) and not hasattr(type(where_in), key):
        owner = owner.__dict__
    if type(owner) is dict and all(type(each) in plain for each in list(owner)) or issubclass(
            type(owner), (type, type(where_in))):
        return owner


# the object itself where there is nothing
def get(o, key):
    if type(o) is type(where_in):
        return getattr(o, key)
    return (o if type(o) is dict else names_of(o)).get(key, o)


def store(o, key, value):
    if value is o:
        (dict.pop if type(o) is dict else own_of(type(o), '__delattr__'))(o, key)
    else:
        (dict.__setitem__ if type(o) is dict else own_of(type(o), '__setattr__'))(o, key, value)


def take_back():
    for owner, key, old, live, said in reversed(saved):
        value = get(owner, key)
        if said:  # a function cannot be without what its type knows
            op, it = said
            if type(owner) is not type(where_in) and (value is live.get(it) if op == named else
                    op == constant and type(value) is type(it) in plain and value == it):
                sets.append((owner, key))
        elif value is not old:
            store(owner, key, old)
            sets.append((owner, key, value))
    saved.clear()


def settle_stores():
    take_back()
    give()


# behind each body, too: the next may ask for it
def give():
    for namespace, live, *where in given:
        old, new = where_in(live, *where), where_in(namespace, *where)
        if old is not None and new is not None and old is not new:
            value = get(old, where[1])
            if value is not old:
                store(new, where[1], value)
