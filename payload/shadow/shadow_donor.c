/* SPDX-License-Identifier: MIT
 *
 * The part donor: a class below the live one that has nothing else of its own but what changed,
 * so that new module code which uses the class meets the new definition. Python like
 * shadow_class.c, in the same globals; abc_meta and abc_init are None where abc is not loaded.
 *
 * The invariant: it is made by type's own functions, and no metaclass, __init_subclass__ or
 * decorator of the program's hears of it. Where the live class has an __init_subclass__, the
 * donor is made below a twin, a class laid out like the live one, and then put below the live
 * one: type.__new__ calls __init_subclass__, setting __bases__ does not (Objects/typeobject.c,
 * type_new_init_subclass and type_set_bases, 3.7 to 3.15). typing's, which keeps no registry,
 * may be called: what it writes on the donor is taken away (no class of Python is laid out like
 * typing.Generic in 3.15). A donor of an abstract class has a
 * registry of its own (_abc_init), or questions about it would be answered into the live one's.
 */
#include "payload/shadow/shadow.h"

const char shadow_donor_hook[] =
	"new, read = type.__new__, type.__getattribute__\n"
	"\n"
	"def make_donor(live, name, qualname, cell):\n"
	" names = {'__slots__': (), '__module__': names_of(live).get('__module__'),\n"
	"    '__doc__': names_of(live).get('__doc__')}\n"
	" if cell is not None:\n"
	"  names['__classcell__'] = cell\n"
	" if is_quiet(live):\n"
	"  donor = new(type(live), name, (live,), names)\n"
	" else:\n"
	"  later = []\n"
	"  donor = new(type(live), name, (twin(live, later),), names)\n"
	"  put_below(donor, live, later)\n"
	" for k in list(names_of(donor)):\n" /* typing's __init_subclass__ */
	"  if k not in names and k not in of_type:\n"
	"   type.__delattr__(donor, k)\n"
	" put(donor, '__qualname__', qualname)\n"
	" made.append((donor, live))\n"
	" if abc_init and issubclass(type(live), abc_meta):\n"
	"  abc_init(donor)\n"
	" return donor\n"
	"\n"
	"def is_quiet(cls):\n"
	" return not any('__init_subclass__' in names_of(base) and\n"
	"       names_of(base).get('__module__') != 'typing'\n"
	"       for base in read(cls, '__mro__')[:-1])\n"
	"\n"
	"def layout(cls):\n"
	" return [read(cls, k) for k in ('__basicsize__', '__itemsize__', '__dictoffset__',\n"
	"   '__weakrefoffset__')] + [read(cls, '__flags__') & 1 << 14]\n" /* HAVE_GC */
	"\n"
	"def put_below(cls, base, later):\n"
	" for twins, its_base in later:\n"
	"  put(twins, '__bases__', (its_base,))\n"
	" put(cls, '__bases__', (base,))\n"
	"\n"
	"def twin(cls, later):\n"
	" while read(cls, '__base__') and layout(cls) == layout(read(cls, '__base__')):\n"
	"  cls = read(cls, '__base__')\n"
	" base, names = read(cls, '__base__'), {}\n"
	" if not read(cls, '__flags__') & 1 << 9:\n" /* Py_TPFLAGS_HEAPTYPE */
	"  return cls\n"
	" if '__slots__' in names_of(cls):\n"
	"  names['__slots__'] = names_of(cls)['__slots__']\n"
	" elif layout(cls)[:-1] == layout(base)[:-1]:\n"
	"  names['__slots__'] = ()\n"
	" if is_quiet(base):\n"
	"  return new(type, read(cls, '__name__'), (base,), names)\n"
	" made = new(type, read(cls, '__name__'), (twin(base, later),), names)\n"
	" later.append((made, base))\n"
	" return made\n";
