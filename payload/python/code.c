/* SPDX-License-Identifier: MIT
 *
 * Code objects, compared and paired. They are made of builtin values only, so comparing them
 * runs no code of the program.
 */
#include "payload/python/code.h"

#include "payload/base/freestanding.h"
#include "payload/python/bytecode.h"
#include "payload/python/compare.h"

#define CODE_KINDS 0x2a0 /* generator, coroutine, async generator: Include/code.h */

PyObject *code_attribute(PyObject *code, const char *name)
{
	return PyObject_GetAttrString(code, name);
}

/* Each call is shorter by the name. */
__attribute__((noinline)) PyObject *code_constants(PyObject *code)
{
	return code_attribute(code, "co_consts");
}

__attribute__((noinline)) PyObject *code_free_names(PyObject *code)
{
	return code_attribute(code, "co_freevars");
}

__attribute__((noinline)) PyObject *code_file(PyObject *code)
{
	return code_attribute(code, "co_filename");
}

__attribute__((noinline)) PyObject *code_variables(PyObject *code)
{
	return code_attribute(code, "co_varnames");
}

__attribute__((noinline)) PyObject *code_name(PyObject *code)
{
	return code_attribute(code, "co_name");
}

long code_number(PyObject *code, const char *name)
{
	_cleanup_py_ PyObject *value = py_attribute(code, name);

	return value ? PyLong_AsLong(value) : -1;
}

long code_kind(PyObject *code)
{
	return code_number(code, "co_flags") & CODE_KINDS;
}

int code_name_is(PyObject *code, const char *name)
{
	_cleanup_py_ PyObject *own = code_name(code);

	return own && PyUnicode_CompareWithASCIIString(own, name) == 0;
}

int code_is_from(PyObject *code, PyObject *file)
{
	_cleanup_py_ PyObject *own = code_file(code);

	return compare_texts(own, file);
}

int code_are_namesakes(PyObject *a, PyObject *b)
{
	static const char *const names[] = {"co_name", "co_qualname"};
	int same = 1;

	for (size_t i = 0; same && i < sizeof(names) / sizeof(*names); i++) {
		_cleanup_py_ PyObject *x = py_attribute(a, names[i]);
		_cleanup_py_ PyObject *y = py_attribute(b, names[i]);
		same = !x || !y ? i > 0 : !PyUnicode_Compare(x, y);
	}
	return same;
}

int code_is_generated(PyObject *code)
{
	_cleanup_py_ PyObject *file = code_file(code);
	const char *text = py_text(file);

	return text && text[0] == '<';
}

static int is_attribute_equal(PyObject *a, PyObject *b, const char *name)
{
	_cleanup_py_ PyObject *x = code_attribute(a, name);
	_cleanup_py_ PyObject *y = code_attribute(b, name);

	return x && y ? PyObject_RichCompareBool(x, y, PY_EQ) : -1;
}

static int is_constant_same(const struct world *w, PyObject *a, PyObject *b);

static int is_tuple_same(const struct world *w, PyObject *a, PyObject *b)
{
	if (PyTuple_Size(a) != PyTuple_Size(b))
		return 0;
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_tuple_item(a, i)); i++) {
		int same = is_constant_same(w, item, PyTuple_GetItem(b, i));
		if (same != 1)
			return same;
	}
	return 1;
}

/* 1 == 1.0 == True and 0.0 == -0.0, but they are different constants. */
static int is_constant_same(const struct world *w, PyObject *a, PyObject *b)
{
	if (a == b)
		return 1;
	if (py_type(a) != py_type(b))
		return 0;
	if (world_is_code(a))
		return code_is_same(w, a, b);
	if (world_is_tuple(a))
		return is_tuple_same(w, a, b);
	if (py_is(a, w->real) || py_is(a, w->complex)) {
		_cleanup_py_ PyObject *x = PyObject_Str(a);
		_cleanup_py_ PyObject *y = PyObject_Str(b);
		return x && y ? PyObject_RichCompareBool(x, y, PY_EQ) : -1;
	}
	return PyObject_RichCompareBool(a, b, PY_EQ);
}

static int are_constants_same(const struct world *w, PyObject *a, PyObject *b)
{
	_cleanup_py_ PyObject *x = code_constants(a);
	_cleanup_py_ PyObject *y = code_constants(b);

	return x && y ? is_tuple_same(w, x, y) : -1;
}

/* 3.11: which instructions a handler covers is in no instruction. */
static int is_exception_table_same(PyObject *a, PyObject *b)
{
	_cleanup_py_ PyObject *x = py_attribute(a, "co_exceptiontable");
	_cleanup_py_ PyObject *y = py_attribute(b, "co_exceptiontable");

	return !x || !y || PyObject_RichCompareBool(x, y, PY_EQ);
}

/* --- class bodies ------------------------------------------------------------------------- */

/* 3.13: a class body binds its own first line to __firstlineno__. Two bodies that differ by it
 * alone are the same; but how it is loaded differs too, and with that the numbers of all other
 * constants (3.14: an instruction of its own for a number below 256). */
static int is_class_body(const struct world *w, PyObject *code)
{
	_cleanup_py_ PyObject *names =
		w->opcodes.minor >= 13 ? code_attribute(code, "co_names") : NULL;
	PyObject *item;

	for (Py_ssize_t i = 0; (item = py_tuple_item(names, i)); i++)
		if (!PyUnicode_CompareWithASCIIString(item, "__firstlineno__"))
			return 1;
	return 0;
}

/* A body with what its comparison needs. */
struct class_body {
	PyObject *constants, *line;
	struct bytecode code;
};

static int class_body_init(struct class_body *out, const struct world *w, PyObject *code)
{
	*out = (struct class_body){
		.constants = code_constants(code),
		.line = code_attribute(code, "co_firstlineno"),
	};
	return out->constants && out->line ? bytecode_init(&out->code, w, code) : -1;
}

static void class_body_fini(struct class_body *body)
{
	Py_DecRef(body->constants);
	Py_DecRef(body->line);
	bytecode_fini(&body->code);
}

static int is_first_line(const struct world *w, const struct class_body *body,
			 PyObject *constant)
{
	return py_is(constant, w->integer) && py_equal(body->line, constant);
}

static int is_instruction_same(const struct world *w, const struct class_body *a,
			       const struct class_body *b, int at)
{
	const struct instruction *i = &a->code.items[at], *j = &b->code.items[at];
	PyObject *p = bytecode_constant(w, a->constants, i);
	PyObject *q = bytecode_constant(w, b->constants, j);

	if (w->opcodes.same_as[i->op] != w->opcodes.same_as[j->op])
		return 0;
	if (!p || !q)
		return i->target == j->target && (i->target >= 0 || i->arg == j->arg);
	return is_first_line(w, a, p) && is_first_line(w, b, q) ? 1 : is_constant_same(w, p, q);
}

static int is_class_body_same(const struct world *w, const struct class_body *a,
			      const struct class_body *b)
{
	if (a->code.count != b->code.count || a->code.guard_count != b->code.guard_count)
		return 0;
	for (int i = 0; i < a->code.count; i++) {
		int same = is_instruction_same(w, a, b, i);
		if (same != 1)
			return same;
	}
	return !memcmp(a->code.guards, b->code.guards,
		       (size_t)a->code.guard_count * sizeof(*a->code.guards));
}

static int are_instructions_same(const struct world *w, PyObject *a, PyObject *b)
{
	struct class_body x = {0}, y = {0};
	int same = -1;

	if (!is_class_body(w, a) || !is_class_body(w, b)) {
		same = is_attribute_equal(a, b, "co_code");
		if (same == 1)
			same = is_exception_table_same(a, b) ? are_constants_same(w, a, b) : 0;
		return same;
	}
	if (!class_body_init(&x, w, a) && !class_body_init(&y, w, b))
		same = is_class_body_same(w, &x, &y);
	class_body_fini(&x);
	class_body_fini(&y);
	return same;
}

int code_is_same(const struct world *w, PyObject *a, PyObject *b)
{
	static const char attributes[] = "co_name\0co_argcount\0co_kwonlyargcount\0co_flags\0"
					 "co_names\0co_varnames\0co_freevars\0co_cellvars\0";

	if (a == b)
		return 1;
	for (const char *each = attributes; *each; each = text_next(each)) {
		int equal = is_attribute_equal(a, b, each);
		if (equal != 1)
			return equal;
	}
	/* 3.8 */
	return code_number(a, "co_posonlyargcount") == code_number(b, "co_posonlyargcount")
		       ? are_instructions_same(w, a, b)
		       : 0;
}

/* The code objects among the constants of `code`, as a new list. */
PyObject *code_inner(PyObject *code)
{
	_cleanup_py_ PyObject *constants = code_constants(code);
	_cleanup_py_ PyObject *out = constants ? PyList_New(0) : NULL;
	PyObject *constant;

	for (Py_ssize_t i = 0; out && (constant = py_tuple_item(constants, i)); i++) {
		if (world_is_code(constant) && PyList_Append(out, constant))
			return NULL;
	}
	return py_take(&out);
}

static PyObject *line_table(PyObject *code)
{
	PyObject *table = py_attribute(code, "co_linetable"); /* 3.10 */

	return table ? table : code_attribute(code, "co_lnotab");
}

int code_is_unmoved(PyObject *a, PyObject *b)
{
	_cleanup_py_ PyObject *inner_a = code_inner(a), *inner_b = code_inner(b);
	_cleanup_py_ PyObject *table_a = line_table(a), *table_b = line_table(b);

	if (!inner_a || !inner_b || !table_a || !table_b)
		return -1;
	int same = is_attribute_equal(a, b, "co_firstlineno");
	if (same == 1)
		same = PyObject_RichCompareBool(table_a, table_b, PY_EQ);
	PyObject *item;
	for (Py_ssize_t i = 0; same == 1 && (item = py_item(inner_a, i)); i++)
		same = code_is_unmoved(item, PyList_GetItem(inner_b, i));
	return same;
}

int code_collect(PyObject *code, PyObject *out)
{
	_cleanup_py_ PyObject *inner = code_inner(code);

	if (!inner || PyDict_SetItem(out, code, code))
		return -1;
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(inner, i)); i++)
		if (code_collect(item, out))
			return -1;
	return 0;
}

/* The inner code called `name`, the last of several, which is what is left of them under that
 * name; 3.12 puts the body of a generic one inside another. */
static PyObject *find_inner(PyObject *code, const char *name, size_t length)
{
	_cleanup_py_ PyObject *inner = code_inner(code);

	for (Py_ssize_t i = py_count(inner); i-- > 0;) {
		PyObject *candidate = PyList_GetItem(inner, i);
		_cleanup_py_ PyObject *own = code_name(candidate);
		const char *text = py_text(own);
		if (!text)
			break;
		if (strlen(text) == length && !memcmp(text, name, length))
			return py_ref(candidate);
		if (!memcmp(text, "<generic", strlen(text) < 8 ? strlen(text) : 8)) {
			PyObject *found = find_inner(candidate, name, length);
			if (found)
				return found;
		}
	}
	PyErr_Clear();
	return NULL;
}

PyObject *code_find(PyObject *module_code, PyObject *qualname)
{
	const char *at = py_text(qualname);
	PyObject *code = py_ref(module_code);

	while (at && *at && code) {
		size_t length = 0;
		while (at[length] && at[length] != '.')
			length++;
		PyObject *inner = find_inner(code, at, length);
		Py_DecRef(code);
		code = inner;
		at = at[length] ? at + length + 1 : NULL;
	}
	PyErr_Clear();
	return code;
}

/* Is it `from m import name`, whose instruction names what the store binds? */
static int is_from_import(const struct world *w, const struct instruction *store)
{
	const struct instruction *before = store - 1;

	return before->arg == store->arg && before->op != w->opcodes.load_name &&
	       before->op != w->opcodes.load_attr && before->kind == OPCODE_NAME;
}

static int stored_names(const struct world *w, PyObject *code, int are_imported,
			int (*act)(PyObject *set, PyObject *name), PyObject *set)
{
	_cleanup_py_ PyObject *names = code_attribute(code, "co_names");
	struct bytecode body = {0};
	int status = names ? bytecode_init(&body, w, code) : -1;

	/* a store is never the first */
	for (int i = 1; status >= 0 && i < body.count; i++)
		if (w->opcodes.same_as[body.items[i].op] == w->opcodes.store_name &&
		    (!are_imported || is_from_import(w, &body.items[i])))
			status = act(set, PyTuple_GetItem(names, body.items[i].arg));
	bytecode_fini(&body);
	return status < 0 ? -1 : 0;
}

int code_stored_names(const struct world *w, PyObject *code, PyObject *out)
{
	return stored_names(w, code, 0, PySet_Add, out);
}

int code_drop_imported(const struct world *w, PyObject *code, PyObject *names)
{
	return stored_names(w, code, 1, PySet_Discard, names);
}

PyObject *code_beside(PyObject *module_code, PyObject *qualname)
{
	const char *text = py_text(qualname);
	size_t length = text ? strlen(text) : 0;

	while (length && text[length - 1] != '.')
		length--;
	_cleanup_py_ PyObject *above = PyUnicode_FromStringAndSize(text, (Py_ssize_t)length);
	_cleanup_py_ PyObject *outer = above ? code_find(module_code, above) : NULL;
	return outer ? code_inner(outer) : NULL;
}

int code_are_siblings(PyObject *code, PyObject *a, PyObject *b)
{
	_cleanup_py_ PyObject *inner = code_inner(code);
	PyObject *item;
	int found = 0;

	for (Py_ssize_t i = 0; (item = py_item(inner, i)); i++) {
		found |= py_equal(item, a) | 2 * py_equal(item, b);
		if (code_are_siblings(item, a, b))
			return 1;
	}
	return found == 3;
}
