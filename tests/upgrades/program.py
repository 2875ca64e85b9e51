# SPDX-License-Identifier: MIT
"""A program that imports all of a library, and describes what it has then: program.py LIBRARY NAMES OUT.

LIBRARY is put in front of sys.path. NAMES is a JSON list of the modules to import, or "-" for all that
are found. What could be imported is written to OUT/imported; when OUT/describe is there (at once, when it
is before), the description to OUT/description. It says of each name of each module, and of each attribute
of each class, what the source says of it: code, defaults, annotations, values. What is state of a process
(addresses, times) is left out as far as it can be told.
"""
import importlib
import io
import json
import os
import sys
import time
import types
import warnings

PLAIN = (int, float, complex, str, bytes, bool, type(None))
OF_IMPORT = {'__builtins__', '__loader__', '__spec__', '__cached__', '__file__', '__path__', '__warningregistry__'}
OF_TYPE = {'__dict__', '__weakref__', '_abc_impl'}
NOT_OF_LIBRARY = ('__pycache__', 'tests', 'test', 'testing')
IMPORTING_S = 60
WAITING_S = 300


def describe_code(code):
    constants = [describe_code(each) if isinstance(each, types.CodeType)
                 else sorted(map(repr, each)) if isinstance(each, frozenset) else repr(each)
                 for each in code.co_consts]
    return [code.co_name, code.co_code.hex(), code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars,
            code.co_flags, code.co_firstlineno, code.co_argcount, code.co_kwonlyargcount, constants]


def describe_value(value, depth=0):
    kind = type(value)
    if kind in PLAIN:
        return repr(value)
    if isinstance(value, type):
        return 'class %s.%s' % (value.__module__, value.__qualname__)
    if kind is types.FunctionType:
        return 'function %s.%s' % (value.__module__, value.__qualname__)
    if isinstance(value, types.ModuleType):
        return 'module ' + value.__name__
    if depth < 4 and kind in (tuple, list):
        return [kind.__name__] + [describe_value(each, depth + 1) for each in value]
    if depth < 4 and kind in (set, frozenset):
        return [kind.__name__] + sorted(str(describe_value(each, depth + 1)) for each in value)
    if depth < 4 and kind is dict:
        return ['dict'] + [[describe_value(each, depth + 1) for each in item] for item in value.items()]
    return 'a %s.%s' % (kind.__module__, kind.__qualname__)


def contents(cell):
    try:
        return describe_value(cell.cell_contents)
    except ValueError:
        return 'empty'


def describe_function(function):
    out = {'code': describe_code(function.__code__), 'defaults': describe_value(function.__defaults__),
           'keywords': describe_value(function.__kwdefaults__), 'qualname': function.__qualname__,
           'module': function.__module__, 'doc': function.__doc__, 'names': sorted(function.__dict__),
           'globals': function.__globals__.get('__name__'),
           'cells': [contents(cell) for cell in function.__closure__ or ()]}
    try:
        out['annotations'] = describe_value(function.__annotations__)
    except Exception as error:  # computed, from 3.14 on
        out['annotations'] = type(error).__name__
    wrapped = function.__dict__.get('__wrapped__')
    if type(wrapped) is types.FunctionType:
        out['wrapped'] = describe_function(wrapped)
    return out


def describe(value):
    kind = type(value)
    if kind is types.FunctionType:
        return describe_function(value)
    if kind in (staticmethod, classmethod):
        return [kind.__name__, describe(value.__func__)]
    if kind is property:
        return ['property'] + [describe(each) for each in (value.fget, value.fset, value.fdel)]
    return describe_value(value)


def describe_safely(value):
    try:
        return describe(value)
    except BaseException as error:  # a proxy without what it stands for
        return 'error ' + type(error).__name__


def describe_all(library):
    modules, classes, todo = {}, {}, []
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, '__file__', None)
        if isinstance(file, str) and file.startswith(library + os.sep):
            names = {key: value for key, value in vars(module).items() if key not in OF_IMPORT}
            modules[name] = {key: describe_safely(value) for key, value in names.items()}
            todo += [value for value in names.values() if isinstance(value, type) and value.__module__ == name]
    while todo:
        cls = todo.pop()
        key = '%s:%s' % (cls.__module__, cls.__qualname__)
        if key in classes:
            continue
        names = {name: value for name, value in vars(cls).items() if name not in OF_TYPE}
        classes[key] = {str(name): describe_safely(value) for name, value in names.items()}
        classes[key]['<class>'] = [describe_value(type(cls)), describe_value(cls.__bases__), describe_value(cls.__mro__)]
        todo += [value for value in names.values()
                 if isinstance(value, type) and value.__qualname__.startswith(cls.__qualname__ + '.')]
    return {'modules': modules, 'classes': classes}


def find_modules(library):
    for folder, folders, files in os.walk(library):
        folders[:] = sorted(each for each in folders if each.isidentifier() and each not in NOT_OF_LIBRARY)
        for file in sorted(files):
            parts = os.path.relpath(os.path.join(folder, file), library)[:-3].split(os.sep)
            if file.endswith('.py') and all(each.isidentifier() for each in parts) and \
                    parts[-1] not in ('setup', 'conftest', '__main__'):
                yield '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


def import_all(names):
    imported, end = [], time.monotonic() + IMPORTING_S
    for name in names:
        streams = sys.stdout, sys.stderr
        try:
            sys.stdout = sys.stderr = io.StringIO()
            if name and time.monotonic() < end:
                importlib.import_module(name)
                imported.append(name)
        except BaseException:  # it needs what is not installed
            pass
        finally:
            sys.stdout, sys.stderr = streams
    return imported


def write(path, value):
    with open(path + '.new', 'w') as file:
        json.dump(value, file)
    os.rename(path + '.new', path)


def main():
    library, names, out = sys.argv[1:]
    warnings.simplefilter('ignore')
    sys.path.insert(0, library)
    if names == '-':
        names = list(find_modules(library))
    else:
        with open(names) as file:
            names = json.load(file)
    write(os.path.join(out, 'imported'), import_all(names))
    end = time.monotonic() + WAITING_S
    while not os.path.exists(os.path.join(out, 'describe')) and time.monotonic() < end:
        time.sleep(0.02)
    write(os.path.join(out, 'description'), describe_all(library))
    os._exit(0)  # some libraries start threads


main()
