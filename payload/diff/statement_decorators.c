/* SPDX-License-Identifier: MIT
 *
 * Without the old source: may the decorators of a function have made what is there? They are
 * followed from the outermost to the function itself. What each of them makes is told by its
 * code, for none may run: a class makes its instances, and a function whose only result is a
 * function inside makes that.
 *
 * The invariant: what cannot be told counts as plausible. A decorator may return anything, and
 * the program may have put a wrapper of its own around what they made.
 */
#include "payload/base/freestanding.h"
#include "payload/diff/selection.h"
#include "payload/job/walk.h"
#include "payload/python/bytecode.h"
#include "payload/python/code.h"
#include "payload/python/compare.h"
#include "payload/python/node.h"
#include "payload/python/tree.h"

enum { UNKNOWN = -1, PLAUSIBLE, OTHER };

struct look {
	struct selection *s;
	const struct function_place *at;
	PyObject *decorator; /* or what is called to make it; borrowed */
	PyObject *call;      /* NULL: it is not called */
};

/* --- codes ------------------------------------------------------------------------------- */

/* The only code inside of that of `code`, borrowed; NULL when there are none or several. */
static PyObject *only_code(PyObject *code)
{
	_cleanup_py_ PyObject *constants = code_constants(code);
	PyObject *found = NULL;
	PyObject *item;

	for (Py_ssize_t i = 0; (item = py_tuple_item(constants, i)); i++) {
		if (!world_is_code(item))
			continue;
		if (found)
			return NULL;
		found = item;
	}
	return found;
}

static int is_code_inside(PyObject *outer, PyObject *code, int depth)
{
	_cleanup_py_ PyObject *constants = code_constants(outer);
	PyObject *item;

	for (Py_ssize_t i = 0; (item = py_tuple_item(constants, i)); i++) {
		if (item == code ||
		    (depth < 3 && world_is_code(item) && is_code_inside(item, code, depth + 1)))
			return 1;
	}
	return 0;
}

static int is_made_by(PyObject *maker, PyObject *value)
{
	return world_is_function(maker) && world_is_function(value) &&
	       is_code_inside(PyFunction_GetCode(maker), PyFunction_GetCode(value), 0);
}

/* Is what the instruction loads one of the first `count` variables, the parameters? */
static int is_parameter(const struct world *w, PyObject *code, const struct instruction *i,
			long count)
{
	if (i->kind == OPCODE_LOCAL || w->opcodes.minor >= 11)
		return i->arg < count;
	_cleanup_py_ PyObject *names = code_variables(code);
	_cleanup_py_ PyObject *cells = code_attribute(code, "co_cellvars");
	PyObject *name =
		cells && i->arg < PyTuple_Size(cells) ? PyTuple_GetItem(cells, i->arg) : NULL;

	for (long k = 0; name && names && k < count; k++)
		if (!PyUnicode_Compare(PyTuple_GetItem(names, k), name))
			return 1;
	return !name;
}

/* Does the function return variables alone that are none of its parameters? */
static int returns_made(const struct world *w, PyObject *code)
{
	long count = code_number(code, "co_argcount");
	struct bytecode b;
	int made = only_code(code) && !bytecode_init(&b, w, code);

	if (!made)
		return 0;
	for (int i = 0; i < b.count; i++) {
		const struct instruction *last = &b.items[i ? i - 1 : 0];
		if (b.items[i].kind == OPCODE_RETURN_CONST)
			made = 0;
		if (b.items[i].kind == OPCODE_RETURN)
			made &= (last->kind == OPCODE_LOCAL || last->kind == OPCODE_FREE) &&
				!is_parameter(w, code, last, count);
	}
	bytecode_fini(&b);
	return made;
}

/* --- arguments --------------------------------------------------------------------------- */

/* Does the wrapper hold another constant than the call says under the parameter's name? */
static int is_held_other(const struct look *l, PyObject *wrapper, PyObject *name,
			 PyObject *node)
{
	const struct world *w = l->s->tokens.world;
	_cleanup_py_ PyObject *said = selection_value(l->s, NULL, node);
	_cleanup_py_ PyObject *held = said ? walk_free_value(wrapper, name) : NULL;

	return held && compare_is_constant(w, held) && !compare_constants(w, held, said);
}

static int are_arguments_other(const struct look *l, PyObject *maker, PyObject *wrapper)
{
	const struct world *w = l->s->tokens.world;
	PyObject *code = PyFunction_GetCode(maker);
	_cleanup_py_ PyObject *names = code_variables(code);
	_cleanup_py_ PyObject *args = node_args(l->call);
	_cleanup_py_ PyObject *keywords = node_field(l->call, "keywords");
	long count = code_number(code, "co_argcount"); /* *args has several */
	struct bytecode b;
	int other = 0, is_set = !names || bytecode_init(&b, w, code);

	if (is_set)
		return 0;
	for (int i = 0; i < b.count; i++)
		is_set |= b.items[i].op == w->opcodes.store_deref;
	bytecode_fini(&b);
	for (Py_ssize_t i = 0; !is_set && args && i < PyList_Size(args) && i < count; i++)
		other |= is_held_other(l, wrapper, PyTuple_GetItem(names, i),
				       PyList_GetItem(args, i));
	PyObject *keyword;
	for (Py_ssize_t i = 0; !is_set && (keyword = py_item(keywords, i)); i++) {
		_cleanup_py_ PyObject *name = node_field(keyword, "arg");
		_cleanup_py_ PyObject *value = node_value(keyword);
		other |= value && world_is_str(name) && is_held_other(l, wrapper, name, value);
	}
	return other;
}

/* --- what is there ----------------------------------------------------------------------- */

static int is_bare(const struct look *l, PyObject *value)
{
	_cleanup_py_ PyObject *inner = selection_inner(l->s, value, NULL, l->at->name);

	return inner == value;
}

/* Is it the function, or what a decorator that the module knows made around it? */
static int is_known(const struct look *l, PyObject *value)
{
	const struct world *w = l->s->tokens.world;
	_cleanup_py_ PyObject *inner = selection_inner(l->s, value, NULL, l->at->name);
	PyObject *name, *maker;
	Py_ssize_t at = 0;

	if (!inner || inner == value || py_is(value, w->property) ||
	    py_is(value, w->staticmethod) || py_is(value, w->classmethod) ||
	    py_is(value, w->lru_cache) || py_is(value, w->cached_property))
		return inner != NULL;
	while (PyDict_Next(l->s->module->live, &at, &name, &maker))
		if (is_made_by(maker, value))
			return 1;
	return 0;
}

/* Puts `inside`, which is taken, in the place of *value. */
static int peel(PyObject **value, PyObject *inside)
{
	if (!inside)
		return UNKNOWN;
	Py_DecRef(*value);
	*value = inside;
	return PLAUSIBLE;
}

static int peel_wrapper(const struct look *l, PyObject **value)
{
	_cleanup_py_ PyObject *inside = walk_inside(l->s->tokens.world, *value);

	return peel(value, py_ref(py_item(inside, 0)));
}

static int makes_its_own(const struct world *w, PyObject *class)
{
	_cleanup_py_ PyObject *new = world_type_attribute(class, "__new__");
	_cleanup_py_ PyObject *plain = world_type_attribute(w->object, "__new__");

	return py_is(class, w->type) &&
	       (new == plain || !(PyType_GetFlags(class) & PY_TYPE_IS_HEAP));
}

static int look_at_class(const struct look *l, PyObject *class, PyObject **value)
{
	if (l->call || !makes_its_own(l->s->tokens.world, class))
		return UNKNOWN;
	if (!py_is(*value, class))
		return is_known(l, *value) ? OTHER : UNKNOWN;
	return peel_wrapper(l, value);
}

/* @x.setter */
static int look_at_step(const struct look *l, const char *attribute, PyObject **value)
{
	if (!py_is(*value, l->s->tokens.world->property))
		return is_bare(l, *value) ? OTHER : UNKNOWN;
	_cleanup_py_ PyObject *function = py_attribute(*value, attribute);
	if (function == l->s->tokens.world->none)
		return OTHER;
	return peel(value, py_take(&function));
}

static int is_of_functools(const struct world *w, PyObject *value, const char *name)
{
	return value && world_loaded(w, "functools", name) == value;
}

static int look_at_cache(const struct look *l, PyObject **value)
{
	const struct world *w = l->s->tokens.world;

	if (!py_is(*value, w->lru_cache))
		return is_known(l, *value) ? OTHER : UNKNOWN;
	_cleanup_py_ PyObject *args = node_args(l->call);
	_cleanup_py_ PyObject *keywords = node_field(l->call, "keywords");
	PyObject *first = py_item(args, 0);
	_cleanup_py_ PyObject *given = first ? py_ref(first) : node_value(py_item(keywords, 0));
	_cleanup_py_ PyObject *said = given ? selection_value(l->s, NULL, given) : NULL;
	_cleanup_py_ PyObject *now = walk_cache_size(*value);
	if (said && now && !py_is(said, w->boolean) && !compare_constants(w, said, now))
		return OTHER;
	return peel_wrapper(l, value);
}

static int look_at_function(const struct look *l, PyObject *maker, PyObject **value)
{
	const struct world *w = l->s->tokens.world;
	PyObject *code = PyFunction_GetCode(maker);

	if (is_of_functools(w, maker, "lru_cache") || is_of_functools(w, maker, "cache"))
		return look_at_cache(l, value);
	code = l->call ? only_code(code) : code;
	if (!code)
		return UNKNOWN;
	if (!is_made_by(maker, *value))
		return returns_made(w, code) && is_known(l, *value) ? OTHER : UNKNOWN;
	if (l->call && are_arguments_other(l, maker, *value))
		return OTHER;
	_cleanup_py_ PyObject *names = code_variables(code);
	return peel(value, names && PyTuple_Size(names)
				   ? walk_free_value(*value, py_first(names))
				   : NULL);
}

static int look_at(const struct look *l, PyObject **value)
{
	static const char *const steps[][2] = {
		{"setter", "fset"}, {"getter", "fget"}, {"deleter", "fdel"}};
	_cleanup_py_ PyObject *id = node_id(l->decorator);
	_cleanup_py_ PyObject *attribute = node_field(l->decorator, "attr");

	for (int i = 0; attribute && i < 3; i++)
		if (!PyUnicode_CompareWithASCIIString(attribute, steps[i][0]))
			return look_at_step(l, steps[i][1], value);
	if (py_get(l->at->names, id) && l->at->names != l->s->module->live)
		return UNKNOWN; /* a name of the class's body */
	PyObject *maker = selection_resolve(l->s, l->decorator);
	if (!maker)
		return UNKNOWN;
	if (world_is_class(maker))
		return look_at_class(l, maker, value);
	return world_is_function(maker) ? look_at_function(l, maker, value) : UNKNOWN;
}

/* ----------------------------------------------------------------------------------------- */

/* type itself makes these what they are. */
static int is_implicit(PyObject *name)
{
	return compare_is_name(name, "__new__ __init_subclass__ __class_getitem__");
}

/* A property that had more functions than the one that is left? @Base.x.setter has them from
 * elsewhere. */
static int had_steps(const struct look *l, PyObject *decorator, PyObject *value)
{
	const struct world *w = l->s->tokens.world;
	_cleanup_py_ PyObject *set = NULL, *deleted = NULL;

	if (!tree_is(decorator, "Name") || !py_is(value, w->property))
		return 0;
	set = PyObject_GetAttrString(value, "fset");
	deleted = PyObject_GetAttrString(value, "fdel");
	return set != w->none || deleted != w->none;
}

int selection_is_decorated_otherwise(struct selection *s, const struct function_place *at,
				     PyObject *node)
{
	struct look l = {.s = s, .at = at};
	_cleanup_py_ PyObject *decorators = node_decorators(node);
	_cleanup_py_ PyObject *value = py_ref(PyDict_GetItem(at->names, at->name));
	int is_only = body_count_stores(&at->body->new, at->name) == 1, other = 0;
	Py_ssize_t count = py_count(decorators);

	if (!value || is_implicit(at->name) || (!is_only && !node_is_plainly_decorated(node)) ||
	    selection_is_rebound(s, at->name, at->body != &s->body))
		return 0;
	if (is_only && count == 1 && node_is_plainly_decorated(node) &&
	    had_steps(&l, py_head(decorators), value))
		return 1;
	for (Py_ssize_t i = 0; !other && i < count; i++) {
		PyObject *decorator = PyList_GetItem(decorators, i);
		_cleanup_py_ PyObject *called = node_field(decorator, "func");
		l.call = called ? decorator : NULL;
		l.decorator = called ? called : decorator;
		other = look_at(&l, &value);
	}
	PyErr_Clear();
	if (other || !is_only)
		return other == OTHER;
	return !is_bare(&l, value) && is_known(&l, value);
}
