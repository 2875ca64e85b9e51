# SPDX-License-Identifier: MIT
#
# The shadow run as new module code sees it. It is Python, not C, so that a reference to it
# which the program keeps stays valid when the payload is unmapped: with `shadows` empty the
# import system is the real one. To compile all of it takes as long as the rest of an attach, so what new code
# may never ask for is compiled when it does (imports.py).
#
# Its globals: shadows (name -> shadow module), pending (name -> code, namespace, live
# namespace, names that the new source has no more or None when all of it runs, its star imports
# or None (module.h)), modules (sys.modules), loaded and linked (what a failure takes back),
# builtins (of the shadows), loader (the type of the loader of ordinary files), texts (of all
# hooks). classes.py adds to them. pack_hooks.py brings all of them into the payload.

# the program's __import__, and importlib._bootstrap
real, bootstrap = __builtins__['__import__'], modules['_frozen_importlib']
stars, saved, changed = [], [], set()  # for stars.py, stores.py, imports.py
given = []  # for stores.py: (namespace of a shadow, live one, path, key)
read, names_of = type.__getattribute__, type.__dict__['__dict__'].__get__


# type's own function, or that of a metaclass written in C, for whose classes type's refuses
def own_of(kind, name):
    for each in read(kind, '__mro__'):
        found = names_of(each).get(name)
        if type(found) is type(names_of(type)[name]):
            return found


def put(cls, name, value):
    own_of(type(cls), '__setattr__')(cls, name, value)


def first_import(*arguments, **keywords):
    if not shadows:
        return real(*arguments, **keywords)
    compile_import()
    builtins['__import__'] = __import__
    return __import__(*arguments, **keywords)


def compile_import():
    if '__import__' not in globals():
        exec(compile(texts[1], '<pyhotpatch>', 'exec'), globals())


# each body that is executed with the module's
def bodies(code, outer=()):
    yield code, outer
    for each in code.co_consts:
        if type(each) is type(code) and not each.co_flags & 2:  # CO_NEWLOCALS: a function
            yield from bodies(each, outer + (each.co_name,))


def has_stores(code):
    return any(op in each.co_code[::2] for each, outer in bodies(code) for op in numbers[:2])


def run(name):
    code, namespace, live, gone, imports, *codes = pending.pop(name)
    if imports:
        stars.append((namespace, live, *imports))
    def __getattr__(attribute):
        if attribute in live:
            return live[attribute]
        raise AttributeError('module %r has no attribute %r' % (name, attribute))
    if gone is None:  # in a circle what is not bound yet is the live one, as in a copy of it
        namespace.setdefault('__getattr__', __getattr__)
    else:
        # computed by the other, from 3.14 on
        annotations = '__annotate__' not in namespace and namespace.get('__annotations__')
        for missing in gone:
            namespace.pop(missing, None)
            if type(annotations) is dict:  # a copy
                annotations.pop(missing, None)
        if '__doc__' in gone:
            namespace['__doc__'] = None
    try:
        exec(code, namespace)
    finally:
        if namespace.get('__getattr__') is __getattr__:
            del namespace['__getattr__']
    if given:
        give()


def start():
    had_threading = 'threading' in modules
    changed.update(pending)
    if any(code and has_stores(code) for entry in pending.values() for code in entry[5:]):
        exec(compile(texts[-1], '<pyhotpatch>', 'exec'), globals())
        for entry in pending.values():
            note_stores(*entry)
    while pending:
        run(next(iter(pending)))
    if not had_threading and 'threading' in modules:
        compile_import()
        settle_threading(modules['threading'])


def stop(is_failure):
    if saved:
        take_back()
    builtins['__import__'] = real
    builtins.pop('__pyhotpatch_keep__', None)
    shadows.clear()
    pending.clear()
    classes.clear()
    stars.clear()
    if is_failure:
        for name, module in loaded:
            if modules.get(name) is module:
                del modules[name]
        for package, name in linked:
            package.__dict__.pop(name, None)
