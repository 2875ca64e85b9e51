# SPDX-License-Identifier: MIT
#
# The part donor: a class below the live one that has nothing else of its own but what changed,
# so that new module code which uses the class meets the new definition. Python like
# classes.py, in the same globals; abc_meta and abc_init are None where abc is not loaded.
#
# The invariant: it is made by type's own functions, or those of a metaclass in C, and no
# metaclass, __init_subclass__ or decorator of the program's hears of it. Where the live class has an __init_subclass__, the
# donor is made below a twin, a class laid out like the live one, and then put below the live
# one: type.__new__ calls __init_subclass__, setting __bases__ does not (Objects/typeobject.c,
# type_new_init_subclass and type_set_bases, 3.7 to 3.15). typing's, which keeps no registry,
# may be called: what it writes on the donor is taken away (no class of Python is laid out like
# typing.Generic in 3.15). A donor of an abstract class has a
# registry of its own (_abc_init), or questions about it would be answered into the live one's.
#
# Behind the live class come the donors of its bases, so that super() leads to what changed there.


def new(kind, *arguments):
    return own_of(kind, '__new__')(kind, *arguments)


# What new code calls super: super(C, self), where C is a donor, leads past the live class, whose
# methods are the old ones. Without arguments it looks at the frame that calls it, and so must be
# super's own __init__, called by no function.
class Super(super):
    def __new__(cls, *arguments):
        for donor, live in made:
            if arguments and arguments[0] is donor:
                return super(live, *arguments[1:])
        return super.__new__(cls)


builtins['super'] = Super


def make_donor(live, name, qualname, cell, kind, given):
    names = {'__slots__': (), '__module__': names_of(live).get('__module__'),
             '__doc__': names_of(live).get('__doc__')}
    names.update(given)
    if cell is not None:
        names['__classcell__'] = cell
    if is_quiet(live):
        donor = new(kind, name, (live,), names)
    else:
        later = []
        donor = new(kind, name, (twin(live, later),), names)
        put_below(donor, live, later)
    above = [donor for donor, its in reversed(made) if its in read(live, '__mro__')[1:]]
    if above:
        put_bases(donor, (live, *above))
    for k in list(names_of(donor)):  # typing's __init_subclass__
        if k not in names and k not in of_type:
            type.__delattr__(donor, k)
    put(donor, '__qualname__', qualname)
    made.append((donor, live))
    if abc_init and issubclass(type(live), abc_meta):
        abc_init(donor)
    return donor


def is_quiet(cls):
    return not any('__init_subclass__' in names_of(base) and
                   names_of(base).get('__module__') != 'typing'
                   for base in read(cls, '__mro__')[:-1])


def layout(cls):
    return [read(cls, k) for k in ('__basicsize__', '__itemsize__', '__dictoffset__',
                                   '__weakrefoffset__')] + [read(cls, '__flags__') & 1 << 14]  # HAVE_GC


def put_below(cls, base, later):
    for twins, its_base in later:
        put(twins, '__bases__', (its_base,))
    put(cls, '__bases__', (base,))


def twin(cls, later):
    while read(cls, '__base__') and layout(cls) == layout(read(cls, '__base__')):
        cls = read(cls, '__base__')
    base, names = read(cls, '__base__'), {'__orig_bases__': ()}  # or typing refuses Generic
    if not read(cls, '__flags__') & 1 << 9:  # Py_TPFLAGS_HEAPTYPE
        return cls
    if '__slots__' in names_of(cls):
        names['__slots__'] = names_of(cls)['__slots__']
    elif layout(cls)[:-1] == layout(base)[:-1]:
        names['__slots__'] = ()
    if is_quiet(base):
        return new(type, read(cls, '__name__'), (base,), names)
    made = new(type, read(cls, '__name__'), (twin(base, later),), names)
    later.append((made, base))
    return made
