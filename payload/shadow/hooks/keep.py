# SPDX-License-Identifier: MIT
#
# The decorator that stands for decorators which did not change. They are not called again:
# what they made is there, and the function inside it takes the new definition at the commit.
# Those that were added above it are called with that.
# Python like classes.py, in the same globals.
#
# A method without any, of a class that is made again as a whole, goes to the class's maker as it is,
# which has wrapped it before, or not: then what is there stays (plan/merge_class.c).
#
# What decorators wrote on the function (__isabstractmethod__) goes over to the new one.
#
# New module code shall meet the new function already, so where plain closures are around it,
# the one that holds it is copied around the new one; the copy never survives.


def keep(key):
    def instead(function):
        for namespace, parts, kept, donors in classes:
            if namespace is function.__globals__ and key in kept:
                inner, code, value, is_bare, added = kept[key]
                function.__dict__.update(inner.__dict__)
                value = around(value, inner, function)
                donors[key] = function, value
                return function if is_bare else value
        return function
    return instead


def around(value, inner, function):
    if value is inner:
        return function
    cells = value.__closure__ or () if type(value) is type(function) else ()
    if not any(holds(cell, inner) for cell in cells):
        return value
    made = copy(value, value.__globals__, tuple(
        cell_of(function) if holds(cell, inner) else cell for cell in cells))
    if made.__dict__.get('__wrapped__') is inner:
        made.__dict__ = dict(made.__dict__, __wrapped__=function)
    return made


def copy(f, globals, cells):
    made = type(f)(f.__code__, globals, f.__name__, f.__defaults__, cells)
    for k in ('__annotate__' if hasattr(f, '__annotate__') else '__annotations__', '__doc__',
              '__kwdefaults__', '__qualname__', '__module__', '__type_params__', '__dict__'):
        if hasattr(f, k):
            setattr(made, k, getattr(f, k))
    return made


def holds(cell, value):
    try:
        return cell.cell_contents is value
    except ValueError:
        return False


def cell_of(value):
    return (lambda: value).__closure__[0]
