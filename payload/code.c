/* SPDX-License-Identifier: MIT
 *
 * Code objects, compared and paired. They are made of builtin values only, so comparing them
 * runs no code of the program.
 */
#include "payload/code.h"

#include "payload/freestanding.h"

PyObject *code_attribute(PyObject *code, const char *name)
{
	return PyObject_GetAttrString(code, name);
}

int code_name_is(PyObject *code, const char *name)
{
	_cleanup_py_ PyObject *own = code_attribute(code, "co_name");

	return own && PyUnicode_CompareWithASCIIString(own, name) == 0;
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
	for (Py_ssize_t i = 0; i < PyTuple_Size(a); i++) {
		int same = is_constant_same(w, PyTuple_GetItem(a, i), PyTuple_GetItem(b, i));
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
	if (py_is(a, w->code))
		return code_is_same(w, a, b);
	if (py_is(a, w->tuple))
		return is_tuple_same(w, a, b);
	if (py_is(a, w->real) || py_is(a, w->complex)) {
		_cleanup_py_ PyObject *x = PyObject_Str(a);
		_cleanup_py_ PyObject *y = PyObject_Str(b);
		return x && y ? PyObject_RichCompareBool(x, y, PY_EQ) : -1;
	}
	return PyObject_RichCompareBool(a, b, PY_EQ);
}

/* 3.13: a class body holds its own first line as a constant, stored by its fourth to eighth
 * instruction; two bodies that differ by it alone are the same. */
static int is_class_body(PyObject *code)
{
	_cleanup_py_ PyObject *names = code_attribute(code, "co_names");

	for (Py_ssize_t i = 0; names && i < PyTuple_Size(names); i++)
		if (!PyUnicode_CompareWithASCIIString(PyTuple_GetItem(names, i),
						      "__firstlineno__"))
			return 1;
	return 0;
}

static int is_first_line(const struct world *w, PyObject *code, PyObject *constant)
{
	_cleanup_py_ PyObject *line = code_attribute(code, "co_firstlineno");

	return line && py_is(constant, w->integer) &&
	       PyObject_RichCompareBool(line, constant, PY_EQ) == 1;
}

static int are_constants_same(const struct world *w, PyObject *a, PyObject *b)
{
	_cleanup_py_ PyObject *x = code_attribute(a, "co_consts");
	_cleanup_py_ PyObject *y = code_attribute(b, "co_consts");
	int is_class = is_class_body(a) && is_class_body(b);

	if (!x || !y)
		return -1;
	if (PyTuple_Size(x) != PyTuple_Size(y))
		return 0;
	for (Py_ssize_t i = 0; i < PyTuple_Size(x); i++) {
		PyObject *p = PyTuple_GetItem(x, i), *q = PyTuple_GetItem(y, i);
		if (is_class && is_first_line(w, a, p) && is_first_line(w, b, q))
			continue;
		int same = is_constant_same(w, p, q);
		if (same != 1)
			return same;
	}
	return 1;
}

/* 3.11: which instructions a handler covers is in no instruction. */
static int is_exception_table_same(PyObject *a, PyObject *b)
{
	_cleanup_py_ PyObject *x = PyObject_GetAttrString(a, "co_exceptiontable");
	_cleanup_py_ PyObject *y = x ? PyObject_GetAttrString(b, "co_exceptiontable") : NULL;

	PyErr_Clear();
	return !x || !y || PyObject_RichCompareBool(x, y, PY_EQ);
}

int code_is_same(const struct world *w, PyObject *a, PyObject *b)
{
	static const char *const attributes[] = {
		"co_name",  "co_argcount", "co_kwonlyargcount", "co_flags",    "co_code",
		"co_names", "co_varnames", "co_freevars",       "co_cellvars",
	};

	if (a == b)
		return 1;
	for (size_t i = 0; i < sizeof(attributes) / sizeof(*attributes); i++) {
		int equal = is_attribute_equal(a, b, attributes[i]);
		if (equal != 1)
			return equal;
	}
	return is_exception_table_same(a, b) ? are_constants_same(w, a, b) : 0;
}

/* The code objects among the constants of `code`, as a new list. */
static PyObject *inner_codes(const struct world *w, PyObject *code)
{
	_cleanup_py_ PyObject *constants = code_attribute(code, "co_consts");
	_cleanup_py_ PyObject *out = constants ? PyList_New(0) : NULL;

	for (Py_ssize_t i = 0; out && i < PyTuple_Size(constants); i++) {
		PyObject *constant = PyTuple_GetItem(constants, i);
		if (py_is(constant, w->code) && PyList_Append(out, constant))
			return NULL;
	}
	return py_take(&out);
}

static PyObject *line_table(PyObject *code)
{
	PyObject *table = PyObject_GetAttrString(code, "co_linetable"); /* 3.10 */

	if (table)
		return table;
	PyErr_Clear();
	return code_attribute(code, "co_lnotab");
}

int code_is_unmoved(const struct world *w, PyObject *a, PyObject *b)
{
	_cleanup_py_ PyObject *inner_a = inner_codes(w, a), *inner_b = inner_codes(w, b);
	_cleanup_py_ PyObject *table_a = line_table(a), *table_b = line_table(b);

	if (!inner_a || !inner_b || !table_a || !table_b)
		return -1;
	int same = is_attribute_equal(a, b, "co_firstlineno");
	if (same == 1)
		same = PyObject_RichCompareBool(table_a, table_b, PY_EQ);
	for (Py_ssize_t i = 0; same == 1 && i < PyList_Size(inner_a); i++)
		same = code_is_unmoved(w, PyList_GetItem(inner_a, i),
				       PyList_GetItem(inner_b, i));
	return same;
}

int code_collect(const struct world *w, PyObject *code, PyObject *out)
{
	_cleanup_py_ PyObject *inner = inner_codes(w, code);

	if (!inner || PyDict_SetItem(out, code, code))
		return -1;
	for (Py_ssize_t i = 0; i < PyList_Size(inner); i++)
		if (code_collect(w, PyList_GetItem(inner, i), out))
			return -1;
	return 0;
}

/* The inner code called `name`; 3.12 puts the body of a generic one inside another. */
static PyObject *find_inner(const struct world *w, PyObject *code, const char *name,
			    size_t length)
{
	_cleanup_py_ PyObject *inner = inner_codes(w, code);

	for (Py_ssize_t i = 0; inner && i < PyList_Size(inner); i++) {
		PyObject *candidate = PyList_GetItem(inner, i);
		_cleanup_py_ PyObject *own = code_attribute(candidate, "co_name");
		const char *text = own ? PyUnicode_AsUTF8(own) : NULL;
		if (!text)
			break;
		if (strlen(text) == length && !memcmp(text, name, length))
			return py_ref(candidate);
		if (!memcmp(text, "<generic", strlen(text) < 8 ? strlen(text) : 8)) {
			PyObject *found = find_inner(w, candidate, name, length);
			if (found)
				return found;
		}
	}
	PyErr_Clear();
	return NULL;
}

PyObject *code_find(const struct world *w, PyObject *module_code, PyObject *qualname)
{
	const char *at = PyUnicode_AsUTF8(qualname);
	PyObject *code = py_ref(module_code);

	while (at && code) {
		size_t length = 0;
		while (at[length] && at[length] != '.')
			length++;
		PyObject *inner = find_inner(w, code, at, length);
		Py_DecRef(code);
		code = inner;
		at = at[length] ? at + length + 1 : NULL;
	}
	PyErr_Clear();
	return code;
}

static int pair_by_name(const struct world *w, PyObject *olds, PyObject *news, PyObject *out);

int code_pair(const struct world *w, PyObject *old, PyObject *new, PyObject *out)
{
	_cleanup_py_ PyObject *olds = inner_codes(w, old);
	_cleanup_py_ PyObject *news = inner_codes(w, new);

	if (!olds || !news)
		return -1;
	if (old != new &&PyDict_SetItem(out, old, new))
		return -1;
	return pair_by_name(w, olds, news, out);
}

/* How many of `codes` from `start` on are called like `code`; *first is the first of them. */
static Py_ssize_t count_named(PyObject *codes, PyObject *code, PyObject **first)
{
	_cleanup_py_ PyObject *name = code_attribute(code, "co_name");
	Py_ssize_t count = 0;

	*first = NULL;
	for (Py_ssize_t i = 0; name && i < PyList_Size(codes); i++) {
		_cleanup_py_ PyObject *other =
			code_attribute(PyList_GetItem(codes, i), "co_name");
		if (!other || PyUnicode_Compare(name, other))
			continue;
		if (!count++)
			*first = PyList_GetItem(codes, i);
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
	for (Py_ssize_t i = 0; i < PyList_Size(lists[0]); i++) {
		PyObject *old = PyList_GetItem(lists[0], i);
		for (Py_ssize_t j = 0; j < PyList_Size(lists[1]); j++) {
			PyObject *new = PyList_GetItem(lists[1], j);
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

/* The same first; then those of one name in order, if names like <lambda> are equally many on
 * both sides: a lambda more or less leaves open which is which, and none is touched. */
static int pair_by_name(const struct world *w, PyObject *olds, PyObject *news, PyObject *out)
{
	PyObject *const lists[2] = {olds, news};

	if (pair_the_same(w, lists, out))
		return -1;
	while (PyList_Size(olds) > 0) {
		PyObject *old = PyList_GetItem(olds, 0), *first, *unused;
		Py_ssize_t count_new = count_named(news, old, &first);
		Py_ssize_t count_old = count_named(olds, old, &unused);
		_cleanup_py_ PyObject *name = code_attribute(old, "co_name");
		const char *text = name ? PyUnicode_AsUTF8(name) : NULL;
		if (!text)
			return -1;
		int is_clear = count_new == count_old || (count_new && text[0] != '<');
		if (is_clear ? take_pair(w, lists, old, first, out) : remove_item(olds, old))
			return -1;
	}
	return 0;
}

/* STORE_NAME has its own number in each version (90 up to 3.12). It is read off a body that
 * binds eight names in a row; likewise STORE_GLOBAL, which binds the names that some function
 * in the module declares global, and EXTENDED_ARG off a body that binds 300. */
static int find_opcode(const unsigned char *bytes, Py_ssize_t size, int wanted)
{
	for (int op = 1; op < 256; op++) {
		int seen = 0;
		for (Py_ssize_t i = 0; i + 1 < size; i += 2)
			if (bytes[i] == op && bytes[i + 1] == seen)
				seen++;
		if (seen == wanted)
			return op;
	}
	return 0;
}

struct bytecode {
	PyObject *owner; /* bytes; owned */
	const unsigned char *bytes;
	Py_ssize_t size;
};

static int bytecode_init(struct bytecode *out, PyObject *code)
{
	char *bytes;

	out->owner = code_attribute(code, "co_code");
	if (!out->owner || PyBytes_AsStringAndSize(out->owner, &bytes, &out->size))
		return -1;
	out->bytes = (const unsigned char *)bytes;
	return 0;
}

/* a0=a1=...=a299: the store of a256 is EXTENDED_ARG 1, STORE_NAME 0. */
static PyObject *probe_code(int names)
{
	char text[300 * 5 + 2], *at = text;

	for (int i = 0; i < names; i++) {
		*at++ = 'a';
		for (int digit = 100; digit; digit /= 10)
			*at++ = (char)('0' + i / digit % 10);
		*at++ = '=';
	}
	*at++ = '0';
	*at = '\0';
	return Py_CompileString(text, "<pyhotpatch>", PY_FILE_INPUT);
}

static const char global_probe[] =
	"a=b=c=d=e=f=g=h=0\ndef function():\n\tglobal a, b, c, d, e, f, g, h\n";

struct store_opcodes {
	int name, global, extended;
};

/* The opcode that binds the first eight names of `probe`; 0 when it is not recognised. */
static int find_store(PyObject *probe)
{
	struct bytecode code = {0};
	int found = probe && !bytecode_init(&code, probe)
			    ? find_opcode(code.bytes, code.size, 8)
			    : 0;

	Py_DecRef(code.owner);
	return found;
}

/* From the end: COPY 1 before the store of a000 looks the same. */
static int find_extended(PyObject *probe, int store)
{
	struct bytecode code = {0};
	int found = 0;

	if (probe && !bytecode_init(&code, probe))
		for (Py_ssize_t i = (code.size & ~1) - 2; i >= 2 && !found; i -= 2)
			if (code.bytes[i] == store && code.bytes[i + 1] == 0 &&
			    code.bytes[i - 1] == 1)
				found = code.bytes[i - 2];
	Py_DecRef(code.owner);
	return found;
}

static int find_store_opcodes(struct store_opcodes *out)
{
	_cleanup_py_ PyObject *few = probe_code(8), *many = probe_code(300);
	_cleanup_py_ PyObject *global =
		Py_CompileString(global_probe, "<pyhotpatch>", PY_FILE_INPUT);

	out->name = find_store(few);
	out->global = find_store(global);
	out->extended = find_extended(many, out->name);
	return out->name && out->global && out->extended ? 0 : -1;
}

int code_stored_names(const struct world *w, PyObject *code, PyObject *out)
{
	struct bytecode body = {0};
	struct store_opcodes store = {0};
	int argument = 0, status = -1;
	_cleanup_py_ PyObject *names = code_attribute(code, "co_names");

	if (!names || bytecode_init(&body, code))
		goto done;
	if (find_store_opcodes(&store)) {
		PyErr_SetString(w->error, "STORE_NAME not recognised");
		goto done;
	}
	for (Py_ssize_t i = 0; i + 1 < body.size; i += 2) {
		argument = argument << 8 | body.bytes[i + 1];
		int is_store = body.bytes[i] == store.name || body.bytes[i] == store.global;
		if (is_store && argument < PyTuple_Size(names) &&
		    PySet_Add(out, PyTuple_GetItem(names, argument)))
			goto done;
		if (body.bytes[i] != store.extended)
			argument = 0;
	}
	status = 0;
done:
	Py_DecRef(body.owner);
	return status;
}
