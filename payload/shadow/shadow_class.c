/* SPDX-License-Identifier: MIT
 *
 * How new module code makes the classes that it changes. Python, for the reason that
 * shadow_hook.c gives; it shares its globals, which have these besides: classes (list of
 * (namespace of a shadow, parts, kept functions, donors)), build (the program's
 * __build_class__), refused (list of (qualified name, text)), made (list of (donor, live
 * class)).
 *
 * A class of which less than all runs has its changed statements executed in a copy of the live
 * class's namespace. What they bound goes into a part donor (shadow_donor.c).
 *
 * A class that must be made as a whole, because its maker looks at the body, is. A maker that
 * refuses because the class is there already (a table, a command) has it filled in part.
 */
#include "payload/shadow/shadow.h"

const char shadow_class_hook[] =
	"own = frozenset(('__module__', '__qualname__', '__classcell__', '__classdictcell__',\n"
	" '__firstlineno__', '__static_attributes__', '__conditional_annotations__',\n"
	" '__annotate__', '__annotate_func__'))\n"
	"of_type = ('__dict__', '__weakref__')\n"
	"already = ('already', 'duplicate', 'conflict', 'exists', 'redefin')\n"
	"names_of = type.__dict__['__dict__'].__get__\n"
	"put = type.__setattr__\n"
	"\n"
	"def __build_class__(function, name, *bases, **keywords):\n"
	" global __name__\n" /* to 3.8: NamedTuple looks at its caller's */
	" __name__ = function.__globals__.get('__name__')\n"
	" qualname = qualname_of(function)\n"
	" for namespace, parts, kept, donors in classes:\n"
	"  if namespace is function.__globals__ and qualname in parts:\n"
	"   part = parts[qualname]\n"
	"   if part[1] is None:\n"
	"    return build_part(function, name, part)\n"
	"   return build_whole(function, name, bases, keywords, part)\n"
	" return build(function, name, *bases, **keywords)\n"
	"\n" /* up to 3.10 the body's function has the class's plain name */
	"def qualname_of(function):\n"
	" code = function.__code__\n"
	" return getattr(code, 'co_qualname', code.co_consts[0])\n"
	"\n"
	"def build_whole(function, name, bases, keywords, part):\n"
	" try:\n"
	"  return build(function, name, *bases, **keywords)\n"
	" except Exception as error:\n"
	"  text = '%s: %s' % (type(error).__name__, error)\n"
	"  if not any(word in text.lower() for word in already):\n"
	"   raise\n"
	" refused.append((qualname_of(function), text))\n"
	" return build_part(function, name, part)\n"
	"\n"
	"def keep_parameters(function, live):\n" /* 3.12: class C[T] */
	" cells = dict(zip(function.__code__.co_freevars, function.__closure__ or ()))\n"
	" own = names_of(live).get('__type_params__')\n"
	" if type(own) is tuple and '.type_params' in cells:\n"
	"  cells['.type_params'].cell_contents = own\n"
	"  for each in own:\n"
	"   if each.__name__ in cells:\n"
	"    cells[each.__name__].cell_contents = each\n"
	"\n"
	"def build_part(function, name, part):\n"
	" live, kept, constants, annotates = part\n"
	" keep_parameters(function, live)\n"
	" old = {k: v for k, v in names_of(live).items() if k not in of_type}\n"
	" names = dict(old)\n"
	" if annotates:\n"
	"  names['__annotations__'] = {}\n"
	" def make(name, bases, names):\n"
	"  pass\n"
	" make.__prepare__ = lambda name, bases: names\n"
	" build(function, name, metaclass=make)\n"
	" cell = names.get('__classcell__')\n"
	" try:\n"
	"  if cell is not None:\n"
	"   cell.cell_contents = live\n"
	"   cell = None\n"
	" except AttributeError:\n" /* before 3.7: type.__new__ fills it with the donor */
	"  pass\n"
	" if '__classdictcell__' in names:\n"
	"  names['__classdictcell__'].cell_contents = names_of(live)\n"
	" changed = {k: v for k, v in names.items() if k not in own and k not in (kept or ())\n"
	"      and not (k in old and old[k] is v)}\n"
	" for k in changed:\n"
	"  if type(changed[k]) is type(make):\n"
	"   changed[k] = implicit(k, changed[k])\n"
	" donor = make_donor(live, name, qualname_of(function), cell)\n"
	" for k, v in list(changed.items()) + list(constants.items()):\n"
	"  put(donor, k, v)\n"
	" for k, v in changed.items():\n"
	"  if hasattr(type(v), '__set_name__'):\n"
	"   type(v).__set_name__(v, donor, k)\n"
	" return donor\n"
	"\n"
	"def implicit(name, function):\n"
	" if name == '__new__':\n"
	"  return staticmethod(function)\n"
	" if name in ('__init_subclass__', '__class_getitem__'):\n"
	"  return classmethod(function)\n"
	" return function\n"
	"\n"
	"def end_classes(is_failure):\n"
	" builtins['__build_class__'] = build\n"
	" for donor, live in () if is_failure else made:\n"
	"  later = []\n"
	"  put_below(donor, twin(live, later), later)\n";
