# SPDX-License-Identifier: MIT
#
# `from m import *` in the shadow. An import that stood there before brings what is new in m, or
# another value there than the module has from it; not what the module bound itself, before or
# behind it, or took away.
#
# Its globals besides: stars (a list of (namespace, live namespace, star imports and names bound
# as in module.h, those of the old code or None)).


def exports(names):
    return names['__all__'] if '__all__' in names else [
        name for name in names if name[:1] != '_']


def is_from(name, names, other):
    return names.get(name, other) is other.get(name, names)


def star(module, key, namespace):
    was = star_dict(key, namespace, modules)
    before = set(exports(was))
    for own, live, bound, old in stars:
        if own is namespace and key in bound:
            break
    else:
        return module
    is_old = any(is_from(name, live, was) for name in before) if old is None else key in old
    result = type(bootstrap)('')
    result.__all__ = []
    for name in exports(module.__dict__):
        stays = name in before
        if name in live:
            stays = name in namespace and not is_from(name, live, was)
        if name not in bound[:bound.index(key)] and not (
                is_old and (stays or not hasattr(module, name))):
            result.__all__.append(name)
            result.__dict__[name] = getattr(module, name)
    return result


# What they brought, and nobody brings any more; once no name leads to clones.
def settle_stars():
    found = True
    while found:
        found = False
        for namespace, _, bound, old in stars:
            kept = set(bound)
            for key in bound:
                kept.update(exports(star_dict(key, namespace, shadows)))
            for key in bound if old is None else old:
                was = star_dict(key, namespace, modules)
                for name in exports(was):
                    if name not in kept and is_from(name, namespace, was):
                        del namespace[name]
                        found = True


def star_dict(key, namespace, first):
    if type(key) is str:
        return {}
    level, name = key
    if level:
        name = bootstrap._resolve_name(name, bootstrap._calc___package__(namespace), level)
    return getattr(first.get(name, modules.get(name)), '__dict__', {})
