# SPDX-License-Identifier: MIT
#
# Where the import system would find a module now. Of it only the finder of files is asked, with
# the __path__ of the package above, not the finders that a program puts before it. What is found
# in an archive, or with a loader of the program's, is left alone, as are namespace packages.
#
# Its globals: those of importlib._bootstrap_external, asked (the module), and dotted (its name
# in its __spec__). It binds `place`, when there is one, to what a module of that name would
# begin with, and to None what it would not have.


def find(name):
    above = name.rpartition('.')[0]
    if not above:
        return PathFinder.find_spec(name)
    path = sys.modules[above].__dict__.get('__path__')
    return (path and PathFinder.find_spec(name, path) or
            # the package above may itself be elsewhere
            PathFinder.find_spec(name, find(above).submodule_search_locations or ()))


# Folders are remembered by their time of modification, which the kernel counts in ticks of
# milliseconds: one that was read just before it changed would be taken for unchanged.
for each in list(sys.path_importer_cache.values()):
    if type(each) is FileFinder:
        each.invalidate_caches()
if sys.modules.get(dotted) is asked:
    spec = find(dotted)
    if type(spec.loader) is SourceFileLoader:
        place = _bootstrap.module_from_spec(spec).__dict__
        del place['__doc__']
        place.setdefault('__path__')
