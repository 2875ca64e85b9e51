# SPDX-License-Identifier: MIT
#
# What stands for a class that did not change while new module code runs (clones.py): a class
# below it (donor.py) with clones of its functions, and below what stands for its bases, so that
# a method is looked for, at each class, in what is new and then in what is there: [overlay,
# class, overlay of a base, base]. Objects that new code makes of it become the class's own at
# the commit.
#
# The invariant: as a key, for isinstance() and for whoever sets one of its attributes, it is the
# class. Where it cannot be (`except`, a metaclass of the program's), there is none.

ready = set()  # numbers of overlays that are made
changing = {id(part[0]) for namespace, parts, kept, donors in classes for part in parts.values()}


class Over(type):
    __dict__ = property(lambda cls: names_of(live_of(cls)))  # who asks, and adds what is missing

    def __hash__(cls):
        return hash(live_of(cls))

    def __eq__(cls, other):
        return live_of(cls) is live_of(other)

    def __instancecheck__(cls, value):
        return isinstance(value, live_of(cls))

    def __subclasscheck__(cls, other):
        return issubclass(live_of(other), live_of(cls))

    def __setattr__(cls, name, value):
        if id(cls) in ready:
            setattr(live_of(cls), name, value)
        if id(cls) not in ready or name in names_of(cls):
            put(cls, name, value)

    def __delattr__(cls, name):
        delattr(live_of(cls), name)
        if name in names_of(cls):
            type.__delattr__(cls, name)


def live_of(cls):
    return cls.__mro__[1] if type(cls) is Over else cls


def make_overlay(live):
    old = dict(names_of(live))
    new = {k: clone(v) for k, v in old.items()}
    new = {k: v for k, v in new.items() if v is not old[k]}
    above = [base for base in live.__bases__ if clone(base) is not base or id(base) in changing]
    if id(live) in changing or issubclass(live, BaseException) or not new and not above:
        return live
    overlay = make_donor(live, live.__name__, live.__qualname__, None, Over, ())
    for k in '__annotations__', '__annotate_func__':
        if k in old:
            new.setdefault(k, old[k])
    for k, v in new.items():
        put(overlay, k, v)
    ready.add(id(overlay))
    overlays.append(overlay)
    put_over(overlay)
    return overlay


def put_over(overlay):
    live = live_of(overlay)
    bases = [known[id(base)] for base in live.__bases__ if known.get(id(base), base) is not base]
    put_bases(overlay, (live, *bases))


# a class of which a part changed: the functions that did not
def cover(donor, live):
    for k, v in names_of(live).items():
        if k not in names_of(donor) and known.get(id(v), v) is not v:
            put(donor, k, known[id(v)])
    known[id(live)] = donor
    for overlay in overlays:
        put_over(overlay)
    had = {k for each in read(live, '__mro__') for k in names_of(each)}
    new = set(names_of(donor)) - had
    if asked & new and '__del__' not in had | new:
        cover_objects(donor, live)


# A statement asks for what a class got just now: an object of it that a name leads to has that,
# too. What stands for it shares its attributes, not its identity: so there is none without need.
def cover_objects(donor, live):
    for fresh in spaces.values():
        for name, value in list(fresh.items()):
            if type(value) is live and layout(live) == layout(type('', (), {})):
                if id(value) not in known:
                    known[id(value)] = made = object.__new__(donor)
                    object.__setattr__(made, '__dict__', object.__getattribute__(value, '__dict__'))
                    pairs.append((made, value))
                    clones.append((made, value, 0))
                fresh[name] = known[id(value)]
