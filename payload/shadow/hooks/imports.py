# SPDX-License-Identifier: MIT
#
# The import system for new module code, from its first import on. Python, in the globals that
# start.py names.
#
# A changed module runs when it is first imported by another, as in a fresh process, so the
# order is that of the imports; a name that a module in a circle has not bound yet is the live
# one. A module that was never imported is executed with the shadows' builtins, so that it sees
# them too.
#
# Up to 3.12 threading takes the thread that imports it for the main thread (its shutdown waits
# for a lock of that one). Where the program had not imported it, settle_threading() says which
# it is: the oldest, which _current_frames() lists last.


def find(name):
    return shadows[name] if name in shadows else modules[name]


def ensure(name):
    if name in pending:
        run(name)
    elif name not in modules:
        load(name)
    elif name not in shadows:
        real(name)


def ensure_submodules(package, full, names):
    for name in names:
        if name == '*':
            ensure_submodules(package, full, getattr(package, '__all__', ()))
        elif full + '.' + name in pending or not hasattr(package, name):
            try:
                ensure(full + '.' + name)
            except ModuleNotFoundError as error:
                if error.name != full + '.' + name:
                    raise
            else:
                if name not in package.__dict__:
                    link(package, name, find(full + '.' + name))


# A module that did not change, for one `from` statement: what it has of one that did, is new. A
# package may have said that a class is its own. Of a constant only its source tells where it is
# from.
def relay(module, names):
    made = module
    for name in names:
        new = value = getattr(module, name, None)
        if type(value) is type(relay) or isinstance(value, type):
            home = str(value.__module__)
            if home in pending:
                run(home)
            for full, shadow in shadows.items():
                for key in (name, value.__name__) if (full + '.').startswith(home + '.') else ():
                    if modules[full].__dict__.get(key) is value:
                        new = shadow.__dict__.get(key, value)
        elif id(value) in held:
            new = imported(module, name, value)
        if new is not value:
            if made is module:
                made = type(bootstrap)('')
                made.__dict__.update(module.__dict__)
            made.__dict__[name] = new
    return made


# numbers of what modules have that changed
held = {id(each) for full in shadows if full in modules
        for each in list(modules[full].__dict__.values()) if type(each) is not type(bootstrap)}
imports, busy = {}, set()


# by a statement at the top of its source
def imported(module, name, value):
    if id(module) not in imports:
        imports[id(module)] = imports_of(getattr(module, '__spec__', None))
    for node in imports[id(module)]:
        for alias in node.names:
            if (alias.asname or alias.name) == name and node not in busy:
                busy.add(node)
                made = __import__(node.module or '', module.__dict__, None, [alias.name], node.level)
                value = getattr(made, alias.name, value)
                busy.remove(node)
    return value


# the compiler may warn of what is there
def imports_of(spec):
    if type(getattr(spec, 'loader', None)) is not loader:
        return ()
    filters = getattr(modules.get('warnings'), 'filters', [])
    quiet = 'ignore', None, Warning, None, 0
    try:
        data = spec.loader.get_data(spec.origin)  # others may run meanwhile, and warn
        filters.insert(0, quiet)
        try:
            tree = compile(data, '', 'exec', 1024)  # PyCF_ONLY_AST
        finally:
            filters.remove(quiet)
    except Exception:
        return ()
    return [node for node in tree.body if hasattr(node, 'level')]


def link(package, name, module):
    if package not in shadows.values():
        linked.append((package, name))
    package.__dict__[name] = module


def load(name):
    parent, _, leaf = name.rpartition('.')
    with bootstrap._ModuleLockManager(name):
        if name in modules:
            return
        path = None
        if parent:
            path = getattr(find(parent), '__path__', None)
            if path is None:
                raise ModuleNotFoundError('No module named %r; %r is not a package'
                                          % (name, parent), name=name)
        spec = bootstrap._find_spec(name, path)
        if spec is None:
            raise ModuleNotFoundError('No module named %r' % name, name=name)
        plain = type(spec.loader) is loader
        if plain:
            execute(name, spec)
    if not plain:
        real(name)
    if parent:
        link(find(parent), leaf, modules[name])


def execute(name, spec):
    module = bootstrap.module_from_spec(spec)
    module.__dict__['__builtins__'] = builtins
    modules[name] = module
    loaded.append((name, module))
    spec._initializing = True
    try:
        spec.loader.exec_module(module)
    except BaseException:
        modules.pop(name, None)
        raise
    finally:
        spec._initializing = False


def settle_threading(threading):
    oldest = list(modules['sys']._current_frames())[-1]
    main = threading._main_thread
    if main._ident == oldest:
        return
    threading._active.pop(main._ident, None)
    main._ident = oldest
    main._native_id = real('posix').getpid()
    main._tstate_lock = threading._allocate_lock()
    main._tstate_lock.acquire()
    threading._active[oldest] = main


# the last: that it is there says that all are
def __import__(name, globals=None, locals=None, fromlist=(), level=0):
    if not shadows:
        return real(name, globals, locals, fromlist, level)
    full = name
    if level:
        full = bootstrap._resolve_name(name, bootstrap._calc___package__(globals), level)
    parts = full.split('.')
    for count in range(1, len(parts) + 1):
        ensure('.'.join(parts[:count]))
    module = find(full)
    if fromlist:
        if hasattr(module, '__path__'):
            ensure_submodules(module, full, fromlist)
        if stars and '*' in fromlist:
            return star(module, (level, name), globals)
        return module if full in changed else relay(module, fromlist)
    if level:
        return find(full[:len(full) - len(name) + len(name.partition('.')[0])])
    return find(parts[0])
