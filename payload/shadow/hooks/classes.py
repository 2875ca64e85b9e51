# SPDX-License-Identifier: MIT
#
# How new module code makes the classes that it changes. Python, for the reason that
# start.py gives; it shares its globals, which have these besides: classes (list of
# (namespace of a shadow, parts, kept functions, donors)), build (the program's
# __build_class__), refused (list of (qualified name, text)), made (list of (donor, live
# class)).
#
# A class of which less than all runs has its changed statements executed in a copy of the live
# class's namespace. What they bound goes into a part donor (donor.py).
#
# A class that must be made as a whole, because its maker looks at the body, is. A maker that
# refuses because the class is there already (a table, a command) has it filled in part.

build = __builtins__['__build_class__']
own = frozenset(('__qualname__', '__classcell__', '__classdictcell__', '__firstlineno__',
                 '__static_attributes__', '__conditional_annotations__', '__annotate__',
                 '__annotate_func__'))
of_type = ('__dict__', '__weakref__')
already = ('already', 'duplicate', 'conflict', 'exists', 'redefin')

def __build_class__(function, name, *bases, **keywords):
    global __name__  # to 3.8: NamedTuple looks at its caller's
    __name__ = function.__globals__.get('__name__')
    qualname = qualname_of(function)
    for namespace, parts, kept, donors in classes:
        if namespace is function.__globals__ and qualname in parts:
            part = parts[qualname]
            if part[1] is None:
                return build_part(function, name, part)
            return build_whole(function, name, bases, keywords, part)
    return build_on(function, name, bases, keywords)


def live_of(cls):  # overlay.py has another
    return cls


# makers and __init_subclass__ hear of the program's classes alone; a metaclass that bases have
# is the new one
def build_on(function, name, bases, keywords):
    kinds = [type(live_of(base)) for base in bases]
    for donor, live in made:
        if live in kinds and all(issubclass(live, kind) for kind in kinds):
            keywords.setdefault('metaclass', donor)
    cls = build(function, name, *map(live_of, bases), **keywords)
    if any(live_of(base) is not base for base in bases):
        put_bases(cls, bases)
    return cls


def put_bases(cls, bases):
    try:
        put(cls, '__bases__', bases)
    except TypeError:  # no order of these
        pass


# up to 3.10 the body's function has the class's plain name
def qualname_of(function):
    code = function.__code__
    return getattr(code, 'co_qualname', code.co_consts[0])


def build_whole(function, name, bases, keywords, part):
    try:
        return build_on(function, name, bases, keywords)
    except Exception as error:
        text = '%s: %s' % (type(error).__name__, error)
        if not any(word in text.lower() for word in already):
            raise
    refused.append((qualname_of(function), text))
    return build_part(function, name, part)


def keep_parameters(function, live):  # 3.12: class C[T]
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or ()))
    own = names_of(live).get('__type_params__')
    if type(own) is tuple and '.type_params' in cells:
        cells['.type_params'].cell_contents = own
        for each in own:
            if each.__name__ in cells:
                cells[each.__name__].cell_contents = each


def build_part(function, name, part):
    live, kept, constants, annotates, late = part
    keep_parameters(function, live)
    old = {k: v for k, v in names_of(live).items() if k not in of_type}
    names = {k: v for k, v in old.items() if k not in late}
    if annotates:
        names['__annotations__'] = {}
    def make(name, bases, names):
        pass
    make.__prepare__ = lambda name, bases: names
    build(function, name, metaclass=make)
    cell = names.get('__classcell__')
    try:
        if cell is not None:
            cell.cell_contents = live
            cell = None
    except AttributeError:  # before 3.7: type.__new__ fills it with the donor
        pass
    if '__classdictcell__' in names:
        names['__classdictcell__'].cell_contents = names_of(live)
    changed = {k: v for k, v in names.items() if k not in own and k not in (kept or ())
               and not (k in old and old[k] is v)
               and (k, v) != ('__module__', __name__)}  # as each body begins
    for k in changed:
        if type(changed[k]) is type(make):
            changed[k] = implicit(k, changed[k])
    # what a descriptor of the metaclass would take is there from the start
    given = {k: v for k, v in changed.items() if k == '__class__' or
             any(k in names_of(each) for each in type(live).__mro__[:-2])}
    donor = make_donor(live, name, qualname_of(function), cell, type(live), given)
    for k, v in list(changed.items()) + list(constants.items()):
        if k not in given:
            put(donor, k, v)
    for k, v in changed.items():
        if hasattr(type(v), '__set_name__'):
            type(v).__set_name__(v, donor, k)
    if 'class_texts' in globals():
        compile_classes()
        cover(donor, live)
    return donor


def implicit(name, function):
    if name == '__new__':
        return staticmethod(function)
    if name in ('__init_subclass__', '__class_getitem__'):
        return classmethod(function)
    return function


# what is behind the donors would be in the way of the program's classes that get other bases
def leave_bases():
    for donor, live in made:
        if len(donor.__bases__) > 1:
            put_bases(donor, (live,))


def end_classes(is_failure):
    builtins['__build_class__'] = build
    for donor, live in () if is_failure else made:
        later = []
        put_below(donor, twin(live, later), later)
