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
# builtins (of the shadows), real (the program's __import__), bootstrap (importlib._bootstrap),
# loader (the type of the loader of ordinary files), import_text (imports.py), stars (stars.py).
# classes.py adds to them. pack_hooks.py brings all of them into the payload.


stars = []


def first_import(*arguments, **keywords):
    if not shadows:
        return real(*arguments, **keywords)
    compile_import()
    builtins['__import__'] = __import__
    return __import__(*arguments, **keywords)


def compile_import():
    if '__import__' not in globals():
        exec(compile(import_text, '<pyhotpatch>', 'exec'), globals())


def run(name):
    code, namespace, live, gone, imports = pending.pop(name)
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


def start():
    had_threading = 'threading' in modules
    while pending:
        run(next(iter(pending)))
    if not had_threading and 'threading' in modules:
        compile_import()
        settle_threading(modules['threading'])


def stop(is_failure):
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
