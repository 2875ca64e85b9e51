/* SPDX-License-Identifier: MIT
 *
 * See hook_text.h.
 */
#include "payload/python/hook_text.h"

/* Returns the place behind it; `out` may be NULL. A pair has bytes alone that came before it,
 * so that this ends. */
static size_t expand(char *out, size_t at, unsigned char byte)
{
	if (byte >= hook_character_count) {
		const unsigned char *pair = hook_pairs[byte - hook_character_count];
		return expand(out, expand(out, at, pair[0]), pair[1]);
	}
	if (out)
		out[at] = (char)hook_characters[byte];
	return at + 1;
}

static size_t expand_all(char *out, const unsigned char *packed)
{
	size_t at = 0;

	do
		at = expand(out, at, *packed);
	while (*packed++);
	return at;
}

PyObject *hook_text(const unsigned char *packed)
{
	size_t size = expand_all(NULL, packed);
	char *out = PyMem_Malloc(size);

	if (!out)
		return PyErr_NoMemory();
	expand_all(out, packed);
	PyObject *text = PyUnicode_FromString(out);
	PyMem_Free(out);
	return text;
}

int hook_execute(const unsigned char *packed, PyObject *globals)
{
	_cleanup_py_ PyObject *text = hook_text(packed);
	_cleanup_py_ PyObject *code =
		text ? Py_CompileString(PyUnicode_AsUTF8(text), "<pyhotpatch>", PY_FILE_INPUT)
		     : NULL;
	_cleanup_py_ PyObject *result = code ? PyEval_EvalCode(code, globals, globals) : NULL;

	return result ? 0 : -1;
}
