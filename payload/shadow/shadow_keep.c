/* SPDX-License-Identifier: MIT
 *
 * The decorator that stands for decorators which did not change. They are not called again:
 * what they made is there, and the function inside it takes the new definition at the commit.
 * Python like shadow_class.c, in the same globals.
 *
 * What decorators wrote on the function (__isabstractmethod__) goes over to the new one.
 *
 * New module code shall meet the new function already, so where plain closures are around it,
 * the one that holds it is copied around the new one; the copy never survives.
 */
#include "payload/shadow/shadow.h"

const char shadow_keep_hook[] =
	"def keep(function):\n"
	" for namespace, parts, kept, donors in classes:\n"
	"  if namespace is function.__globals__ and function.__qualname__ in kept:\n"
	"   inner, code, value = kept[function.__qualname__]\n"
	"   function.__dict__.update(inner.__dict__)\n"
	"   value = around(value, inner, function)\n"
	"   donors[function.__qualname__] = function, value\n"
	"   return value\n"
	" return function\n"
	"\n"
	"def around(value, inner, function):\n"
	" if value is inner:\n"
	"  return function\n"
	" cells = value.__closure__ or () if type(value) is type(function) else ()\n"
	" if not any(holds(cell, inner) for cell in cells):\n"
	"  return value\n"
	" cells = tuple(cell_of(function) if holds(cell, inner) else cell for cell in cells)\n"
	" made = type(value)(value.__code__, value.__globals__, value.__name__, value.__defaults__, cells)\n"
	" made.__kwdefaults__, made.__qualname__ = value.__kwdefaults__, value.__qualname__\n"
	" made.__dict__.update(value.__dict__)\n"
	" if made.__dict__.get('__wrapped__') is inner:\n"
	"  made.__wrapped__ = function\n"
	" return made\n"
	"\n"
	"def holds(cell, value):\n"
	" try:\n"
	"  return cell.cell_contents is value\n"
	" except ValueError:\n"
	"  return False\n"
	"\n"
	"def cell_of(value):\n"
	" return (lambda: value).__closure__[0]\n";
