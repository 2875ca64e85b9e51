/* SPDX-License-Identifier: MIT
 *
 * Which code of the new source has the place of one of the old: what is the same first, the
 * rest by name and order.
 */
#include "payload/python/code.h"
#include "payload/python/compare.h"

static int pair_by_name(const struct world *w, PyObject *olds, PyObject *news, PyObject *out);

int code_pair(const struct world *w, PyObject *old, PyObject *new, PyObject *out)
{
	_cleanup_py_ PyObject *olds = code_inner(old);
	_cleanup_py_ PyObject *news = code_inner(new);

	if (!olds || !news)
		return -1;
	if (old != new &&PyDict_SetItem(out, old, new))
		return -1;
	return pair_by_name(w, olds, news, out);
}

int code_pair_moved(const struct world *w, PyObject *module_code, PyObject *function,
		    PyObject *out)
{
	_cleanup_py_ PyObject *name = py_attribute(function, "__qualname__");
	_cleanup_py_ PyObject *beside = code_beside(module_code, name);
	PyObject *code = PyFunction_GetCode(function), *item;

	for (Py_ssize_t i = 0; (item = py_item(beside, i)); i++)
		if (code_are_namesakes(item, code) && code_is_same(w, item, code) == 1)
			return code_pair(w, code, item, out);
	return 0;
}

PyObject *code_steps(PyObject *codes, PyObject *file)
{
	_cleanup_py_ PyObject *made = PyDict_New();
	PyObject *steps = PyDict_GetItem(codes, file);

	if (!steps && made && !PyDict_SetItem(codes, file, made))
		steps = made;
	return steps;
}

PyObject *code_next(PyObject *codes, PyObject *code)
{
	_cleanup_py_ PyObject *file = code_file(code);
	PyObject *steps = py_get(codes, file);

	return py_get(steps, code);
}

/* How many of `codes` from `start` on are called like `code`; *first is the first of them. */
static Py_ssize_t count_named(PyObject *codes, PyObject *code, PyObject **first)
{
	_cleanup_py_ PyObject *name = code_name(code);
	Py_ssize_t count = 0;

	*first = NULL;
	PyObject *item;
	for (Py_ssize_t i = 0; name && (item = py_item(codes, i)); i++) {
		_cleanup_py_ PyObject *other = code_name(item);
		if (!compare_texts(name, other))
			continue;
		if (!count++)
			*first = item;
	}
	return count;
}

static int remove_item(PyObject *list, PyObject *item)
{
	for (Py_ssize_t i = 0; i < PyList_Size(list); i++)
		if (PyList_GetItem(list, i) == item)
			return PyList_SetSlice(list, i, i + 1, NULL);
	return 0;
}

/* Takes the pair out of both lists and pairs what is inside. */
static int take_pair(const struct world *w, PyObject *const lists[2], PyObject *old,
		     PyObject *new, PyObject *out)
{
	_cleanup_py_ PyObject *kept_old = py_ref(old);
	_cleanup_py_ PyObject *kept_new = py_ref(new);

	if (remove_item(lists[0], old) || remove_item(lists[1], new))
		return -1;
	return code_pair(w, kept_old, kept_new, out);
}

static int pair_the_same(const struct world *w, PyObject *const lists[2], PyObject *out)
{
	PyObject *old;
	for (Py_ssize_t i = 0; (old = py_item(lists[0], i)); i++) {
		PyObject *new;
		for (Py_ssize_t j = 0; (new = py_item(lists[1], j)); j++) {
			int same = code_is_same(w, old, new);
			if (same < 0 || (same && take_pair(w, lists, old, new, out)))
				return -1;
			if (same) {
				i--;
				break;
			}
		}
	}
	return 0;
}

int code_is_only(PyObject *outer, PyObject *code)
{
	_cleanup_py_ PyObject *inner = code_inner(outer);
	PyObject *first;

	return inner && count_named(inner, code, &first) == 1 && py_equal(first, code);
}

/* The same first; then those of one name in order, if names like <lambda> are equally many on
 * both sides: a lambda more or less leaves open which is which, and none is touched. */
static int pair_by_name(const struct world *w, PyObject *olds, PyObject *news, PyObject *out)
{
	PyObject *const lists[2] = {olds, news};

	if (pair_the_same(w, lists, out))
		return -1;
	while (PyList_Size(olds) > 0) {
		PyObject *old = py_head(olds), *first, *unused;
		Py_ssize_t count_new = count_named(news, old, &first);
		Py_ssize_t count_old = count_named(olds, old, &unused);
		_cleanup_py_ PyObject *name = code_name(old);
		const char *text = name ? PyUnicode_AsUTF8(name) : NULL;
		if (!text)
			return -1;
		int is_clear = count_new == count_old || (count_new && text[0] != '<');
		if (is_clear ? take_pair(w, lists, old, first, out) : remove_item(olds, old))
			return -1;
	}
	return 0;
}
