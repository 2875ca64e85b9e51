/* SPDX-License-Identifier: MIT
 *
 * Read off the instructions that make the function: its defaults come first (Python/compile.c,
 * compiler_default_arguments, 3.6 to 3.13; Python/codegen.c), if they are constants as one
 * tuple; then its annotations, its cells, and its code; then what tells which of all that it
 * may have there was. How many instructions make annotations nobody knows; but what has them is
 * a `def`, which begins its line.
 */
#include "payload/python/defaults.h"

#include "payload/python/bytecode.h"
#include "payload/python/code.h"

/* Arguments of MAKE_FUNCTION; of SET_FUNCTION_ATTRIBUTE, one each. All versions. */
enum {
	HAS_DEFAULTS = 1,
	HAS_KEYWORD_DEFAULTS = 2,
	HAS_ANNOTATIONS = 4 | 16, /* 16: a function that makes them, 3.14 */
	HAS_CELLS = 8
};

static int flags_of(const struct world *w, const struct bytecode *b, int at)
{
	int minor = w->opcodes.minor, flags = 0;

	at += minor < 11 ? 2 : 1; /* up to 3.10 the name is loaded, too */
	if (minor < 13)
		return at < b->count ? b->items[at].arg : 0;
	while (++at < b->count && b->items[at].kind == OPCODE_GIVES)
		flags |= b->items[at].arg;
	return flags;
}

/* Where the code is loaded, and from where on what it needs is. */
static int find_first(const struct bytecode *b, int at, int flags, long line)
{
	if (!(flags & HAS_ANNOTATIONS))
		return at - 1 - (flags & HAS_CELLS && at ? b->items[at - 1].arg + 1 : 0);
	while (at > 0 && b->items[at - 1].line >= line)
		at--;
	while (b->items[at].kind == OPCODE_DROP)
		at++;
	return at;
}

/* `code` where there are some that cannot be told. */
static PyObject *read_defaults(const struct world *w, PyObject *maker, PyObject *code)
{
	_cleanup_py_ PyObject *constants = code_constants(maker);
	PyObject *found = NULL;
	struct bytecode b;
	int at = 0;

	if (!bytecode_init(&b, w, maker)) {
		while (at < b.count && bytecode_constant(w, constants, &b.items[at]) != code)
			at++;
		int flags = flags_of(w, &b, at);
		int first = find_first(&b, at, flags, code_number(code, "co_firstlineno"));
		if (!(flags & (HAS_DEFAULTS | HAS_KEYWORD_DEFAULTS)))
			found = w->none;
		else if (first >= 0 && !(flags & HAS_KEYWORD_DEFAULTS))
			found = bytecode_constant(w, constants, &b.items[first]);
		if (!found || !(world_is_tuple(found) || found == w->none))
			found = code;
	}
	bytecode_fini(&b);
	return found;
}

PyObject *defaults_of(const struct world *w, PyObject *within, PyObject *code)
{
	_cleanup_py_ PyObject *constants = code_constants(within);
	PyObject *inner, *found = NULL;

	for (Py_ssize_t i = 0; !found && (inner = py_tuple_item(constants, i)); i++) {
		if (inner == code)
			return read_defaults(w, within, code);
		if (world_is_code(inner))
			found = defaults_of(w, inner, code);
	}
	return found;
}
