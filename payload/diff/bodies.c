/* SPDX-License-Identifier: MIT
 *
 * The body of the module, and those of its classes, are compared with the codes of functions
 * left out: with the old ones put into the new body, both must be the same. Then the program's
 * function objects take the new codes, and no statement, shadow or donor is needed.
 *
 * The invariant: a code counts as the body of a function only when the live object under its
 * name is that function as `def` made it. What a decorator put there, a lambda and a
 * comprehension are for statements.c.
 */
#include "payload/diff/bodies.h"

#include "payload/base/freestanding.h"
#include "payload/job/walk.h"
#include "payload/python/code.h"
#include "payload/python/compare.h"

#define IS_FUNCTION 1 /* CO_OPTIMIZED of Include/code.h: set for functions, not for classes */
#define DEPTH_MAX   10

struct bodies {
	const struct world *world;
	const struct module *module;
	PyObject *found; /* list */
};

/* A body in the old and the new source, and what it bound. All borrowed. */
struct pair {
	PyObject *old, *new, *names;
	PyObject *qualname; /* NULL: the module */
	int depth;
};

/* The docstring, or whatever is in its place. */
static int is_doc_same(const struct world *w, PyObject *old, PyObject *new)
{
	_cleanup_py_ PyObject *x = code_constants(old);
	_cleanup_py_ PyObject *y = code_constants(new);
	PyObject *a = x && PyTuple_Size(x) ? py_first(x) : w->none;
	PyObject *b = y && PyTuple_Size(y) ? py_first(y) : w->none;

	if (world_is_str(a) != world_is_str(b))
		return 0;
	return !world_is_str(a) || compare_texts(a, b);
}

static int are_parameters_same(PyObject *old, PyObject *new)
{
	static const char *const counts[] = {"co_argcount", "co_kwonlyargcount", "co_flags"};
	_cleanup_py_ PyObject *x = code_variables(old);
	_cleanup_py_ PyObject *y = code_variables(new);
	long count = code_number(old, "co_argcount") + code_number(old, "co_kwonlyargcount");
	long flags = code_number(old, "co_flags");

	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
		if (code_number(old, counts[i]) != code_number(new, counts[i]))
			return 0;
	count += ((flags & 4) != 0) + ((flags & 8) != 0); /* *args, **kwargs */
	for (Py_ssize_t i = 0; x && y && i < count; i++)
		if (!compare_texts(PyTuple_GetItem(x, i), PyTuple_GetItem(y, i)))
			return 0;
	_cleanup_py_ PyObject *a = code_free_names(old);
	_cleanup_py_ PyObject *b = code_free_names(new);
	/* 3.8 */
	_cleanup_py_ PyObject *c = PyObject_GetAttrString(old, "co_posonlyargcount");
	_cleanup_py_ PyObject *d = PyObject_GetAttrString(new, "co_posonlyargcount");
	return a && b && py_equal(a, b) && c && d && py_equal(c, d);
}

/* Is the object, or what is right inside a property or a method of the class, the function? */
static int is_made_of(const struct bodies *b, PyObject *value, PyObject *code)
{
	const struct world *w = b->world;

	if (world_is_function(value))
		return PyFunction_GetGlobals(value) == b->module->live &&
		       py_equal(PyFunction_GetCode(value), code);
	if (!py_is(value, w->property) && !py_is(value, w->staticmethod) &&
	    !py_is(value, w->classmethod))
		return 0;
	_cleanup_py_ PyObject *inside = walk_inside(w, value);
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(inside, i)); i++)
		if (world_is_function(item) && is_made_of(b, item, code))
			return 1;
	return 0;
}

/* 1: *out is what the new body has in this place, with old bodies; NULL: `new` itself. */
static int put_old(const struct bodies *b, PyObject **out, const struct pair *at);

static int put_old_class(const struct bodies *b, PyObject **out, const struct pair *at)
{
	const struct world *w = b->world;
	_cleanup_py_ PyObject *name = code_name(at->new);
	PyObject *class = py_get(at->names, name);

	if (!class || at->depth > DEPTH_MAX || !walk_is_class_of(w, b->module, class))
		return 0;
	_cleanup_py_ PyObject *names = world_type_dict(w, class);
	const struct pair inner = {.old = at->old,
				   .new = at->new,
				   .names = names,
				   .qualname = at->qualname,
				   .depth = at->depth + 1};
	return names ? put_old(b, out, &inner) : -1;
}

static int put_old_function(const struct bodies *b, PyObject **out, const struct pair *at)
{
	const struct world *w = b->world;
	_cleanup_py_ PyObject *name = code_name(at->new);
	PyObject *value = py_get(at->names, name);

	if (!value || !PyUnicode_CompareWithASCIIString(name, "__annotate__") ||
	    !is_made_of(b, value, at->old) || !are_parameters_same(at->old, at->new) ||
	    !is_doc_same(w, at->old, at->new))
		return 0;
	*out = py_ref(at->old);
	_cleanup_py_ PyObject *entry = py_pair(at->qualname, at->new);
	return entry && !PyList_Append(b->found, entry) ? 1 : -1;
}

static int put_old_code(const struct bodies *b, PyObject **out, const struct pair *at,
			PyObject *outer)
{
	_cleanup_py_ PyObject *old_name = code_name(at->old);
	_cleanup_py_ PyObject *name = code_name(at->new);
	int same = code_is_same(b->world, at->old, at->new);

	if (same || !compare_texts(old_name, name))
		return same;
	_cleanup_py_ PyObject *qualname = outer ? world_dotted(outer, name) : py_ref(name);
	struct pair named = *at;
	named.qualname = qualname;
	if (!qualname)
		return -1;
	return code_number(at->new, "co_flags") & IS_FUNCTION ? put_old_function(b, out, &named)
							      : put_old_class(b, out, &named);
}

/* The code with other constants; code.replace() came with 3.8. */
static PyObject *with_constants(PyObject *code, PyObject *constants)
{
	_cleanup_py_ PyObject *tuple = PyList_AsTuple(constants);
	_cleanup_py_ PyObject *replace = PyObject_GetAttrString(code, "replace");
	_cleanup_py_ PyObject *none = PyTuple_New(0), *named = PyDict_New();

	if (!tuple || !replace || !none || !named ||
	    PyDict_SetItemString(named, "co_consts", tuple))
		return NULL;
	return PyObject_Call(replace, none, named);
}

static int next_code(PyObject *constants, Py_ssize_t *at)
{
	while (*at < PyTuple_Size(constants) && !world_is_code(PyTuple_GetItem(constants, *at)))
		++*at;
	return *at < PyTuple_Size(constants);
}

static int put_old(const struct bodies *b, PyObject **out, const struct pair *at)
{
	_cleanup_py_ PyObject *olds = code_constants(at->old);
	_cleanup_py_ PyObject *news = code_constants(at->new);
	_cleanup_py_ PyObject *list = news ? PySequence_List(news) : NULL;
	int status = olds && list ? 1 : -1, is_put = 0;

	for (Py_ssize_t i = 0, j = 0; status == 1; i++, j++) {
		int has_old = next_code(olds, &i);
		if (!next_code(news, &j) || !has_old) {
			status = has_old || j < PyTuple_Size(news) ? 0 : 1;
			break;
		}
		const struct pair inner = {.old = PyTuple_GetItem(olds, i),
					   .new = PyTuple_GetItem(news, j),
					   .names = at->names,
					   .depth = at->depth};
		PyObject *code = NULL;
		status = put_old_code(b, &code, &inner, at->qualname);
		_cleanup_py_ PyObject *item = PyList_New(0);
		if (status == 1 && code &&
		    (py_append(item, code) || PyList_SetSlice(list, j, j + 1, item)))
			status = -1;
		is_put |= code && code != inner.new;
		Py_DecRef(code);
	}
	if (status == 1)
		*out = is_put ? with_constants(at->new, list) : py_ref(at->new);
	return status == 1 && !*out ? -1 : status;
}

int bodies_differ_alone(const struct world *w, const struct module *m, PyObject **out)
{
	const struct pair at = {.old = m->old_code, .new = m->code, .names = m->live};
	struct bodies b = {.world = w, .module = m, .found = PyList_New(0)};
	PyObject *same = NULL;
	int status = b.found ? put_old(&b, &same, &at) : -1;

	if (status == 1)
		status = code_is_same(w, m->old_code, same);
	Py_DecRef(same);
	if (status == 1) {
		*out = b.found;
		return 1;
	}
	Py_DecRef(b.found);
	if (!status)
		PyErr_Clear();
	return status;
}
