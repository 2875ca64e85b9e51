/* SPDX-License-Identifier: MIT
 *
 * The shadow run as new module code sees it. It is Python, not C, so that a reference to it
 * which the program keeps stays valid when the payload is unmapped: with `shadows` empty the
 * import system is the real one. One blank is enough of an indentation: each byte goes into
 * every target. To compile all of it takes as long as the rest of an attach, so what new code
 * may never ask for is compiled when it does (shadow_import.c).
 *
 * Its globals: shadows (name -> shadow module), pending (name -> code, namespace, live
 * namespace), modules (sys.modules), loaded and linked (what a failure takes back), builtins
 * (of the shadows), real (the program's __import__), bootstrap (importlib._bootstrap), loader
 * (the type of the loader of ordinary files), import_text (shadow_import.c). shadow_class.c
 * adds to them.
 */
#include "payload/shadow/shadow.h"

const char shadow_hook[] =
	"def first_import(*arguments, **keywords):\n"
	" if not shadows:\n"
	"  return real(*arguments, **keywords)\n"
	" compile_import()\n"
	" builtins['__import__'] = __import__\n"
	" return __import__(*arguments, **keywords)\n"
	"\n"
	"def compile_import():\n"
	" if '__import__' not in globals():\n"
	"  exec(compile(import_text, '<pyhotpatch>', 'exec'), globals())\n"
	"\n"
	"def run(name):\n"
	" code, namespace, live = pending.pop(name)\n"
	" def __getattr__(attribute):\n"
	"  if attribute in live:\n"
	"   return live[attribute]\n"
	"  raise AttributeError('module %r has no attribute %r' % (name, attribute))\n"
	" namespace.setdefault('__getattr__', __getattr__)\n"
	" try:\n"
	"  exec(code, namespace)\n"
	" finally:\n"
	"  if namespace.get('__getattr__') is __getattr__:\n"
	"   del namespace['__getattr__']\n"
	"\n"
	"def start():\n"
	" had_threading = 'threading' in modules\n"
	" while pending:\n"
	"  run(next(iter(pending)))\n"
	" if not had_threading and 'threading' in modules:\n"
	"  compile_import()\n"
	"  settle_threading(modules['threading'])\n"
	"\n"
	"def stop(is_failure):\n"
	" builtins['__import__'] = real\n"
	" builtins.pop('__pyhotpatch_keep__', None)\n"
	" shadows.clear()\n"
	" pending.clear()\n"
	" classes.clear()\n"
	" if is_failure:\n"
	"  for name, module in loaded:\n"
	"   if modules.get(name) is module:\n"
	"    del modules[name]\n"
	"  for package, name in linked:\n"
	"   package.__dict__.pop(name, None)\n";
