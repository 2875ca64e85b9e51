/* SPDX-License-Identifier: MIT
 *
 * Pairing a function of the program with its donor, and what their closures hold. The
 * invariant: a donor is a function that this run made, and what it takes the place of is this
 * module's.
 */
#include "payload/base/freestanding.h"
#include "payload/job/walk.h"
#include "payload/plan/annotations.h"
#include "payload/plan/plan.h"
#include "payload/python/code.h"
#include "payload/python/compare.h"

static int is_led_to(const struct lead *to, PyObject *o)
{
	if (to->object)
		return plan_stand_in(to->plan, o) == to->object;
	if (!world_is_function(o) || PyFunction_GetGlobals(o) != to->globals)
		return 0;
	PyObject *code = PyFunction_GetCode(o);
	_cleanup_py_ PyObject *own = to->name ? code_name(code) : NULL;
	return (!to->name || compare_texts(own, to->name)) &&
	       (!to->is_generated || code_is_generated(code));
}

int merge_leads(const struct lead *to, PyObject *o, int depth)
{
	if (depth > 4)
		return 0;
	if (is_led_to(to, o))
		return 1;
	_cleanup_py_ PyObject *inside = walk_inside(&to->plan->job->world, o);
	PyObject *item;
	for (Py_ssize_t i = 0; (item = py_item(inside, i)); i++)
		if (merge_leads(to, item, depth + 1))
			return 1;
	PyErr_Clear();
	return 0;
}

int merge_is_new(const struct plan *p, const struct module *m, PyObject *o)
{
	return merge_leads(&(struct lead){.plan = p, .globals = m->fresh}, o, 0) ||
	       merge_leads(&(struct lead){.plan = p, .globals = m->live, .is_generated = 1}, o,
			   0);
}

/* The functions inside a decorated one are paired by the name of the variable that holds them.
 */
static int merge_closures(struct plan *p, const struct module *m, PyObject *old, PyObject *new)
{
	_cleanup_py_ PyObject *names = code_free_names(PyFunction_GetCode(new));
	PyObject *name;

	for (Py_ssize_t i = 0; (name = py_tuple_item(names, i)); i++) {
		if (compare_is_name(name, "__class__ __classdict__"))
			continue;
		_cleanup_py_ PyObject *x = walk_free_value(old, name),
				      *y = walk_free_value(new, name);
		_cleanup_py_ PyObject *merged = x && y ? merge_value(p, m, x, y) : NULL;
		if (x && y && !merged)
			return -1;
	}
	return names ? 0 : -1;
}

static int merge_wrapped(struct plan *p, const struct module *m, PyObject *old, PyObject *new)
{
	const struct world *w = &p->job->world;
	_cleanup_py_ PyObject *x = world_own_item(w, old, "__wrapped__");
	_cleanup_py_ PyObject *y = world_own_item(w, new, "__wrapped__");

	if (!x || !y)
		return 0;
	_cleanup_py_ PyObject *merged = merge_value(p, m, x, y);
	return merged ? 0 : -1;
}

PyObject *merge_code_now(const struct module *m, PyObject *function)
{
	_cleanup_py_ PyObject *name = PyObject_GetAttrString(function, "__qualname__");
	_cleanup_py_ PyObject *code = name ? code_find(m->code, name) : NULL;

	PyErr_Clear();
	return py_take(&code);
}

/* The new source still has the old function, and this one beside it: another of its name (`_`
 * that is registered somewhere), and it is as it was; or one of another name (`handler = f`,
 * now `handler = g`). */
static int is_still_there(const struct plan *p, const struct module *m, PyObject *old,
			  PyObject *new)
{
	const struct world *w = &p->job->world;
	PyObject *code = PyFunction_GetCode(old), *new_code = PyFunction_GetCode(new);
	int are_namesakes = code_are_namesakes(code, new_code);
	_cleanup_py_ PyObject *next =
		are_namesakes ? py_ref(code_next(p->codes, code)) : merge_code_now(m, old);

	return next && (!are_namesakes || code_is_same(w, code, next) == 1) &&
	       PyObject_RichCompareBool(next, new_code, PY_EQ) != 1 &&
	       code_are_siblings(m->code, next, new_code);
}

/* A function whose decorators changed may have got a wrapper of another module, or have had
 * one. A wrapper around nothing of this module may be everybody's. */
static int may_take(const struct plan *p, const struct module *m, PyObject *old, PyObject *new)
{
	PyObject *globals = PyFunction_GetGlobals(new);
	const struct lead home = {.plan = p,
				  .globals = (p->moved_from ? p->moved_from : m)->live};

	if (!merge_is_new(p, m, new) || pointer_map_get(&p->adopted, old))
		return 0;
	if (globals == m->fresh)
		globals = m->live;
	return (PyFunction_GetGlobals(old) == globals || merge_leads(&home, old, 0)) &&
	       !is_still_there(p, m, old, new);
}

/* Not what a decorator changes: its other functions go on. Nor what is generated: it is the
 * same in every dataclass that has the same fields. */
static int pair_codes(const struct plan *p, PyObject *old, PyObject *new)
{
	PyObject *a = PyFunction_GetCode(old), *b = PyFunction_GetCode(new);
	_cleanup_py_ PyObject *file = code_file(a);

	/* Closures of what moved have the namespace that they have. */
	if (p->moved_from || code_is_generated(a) || code_is_generated(b) ||
	    !code_are_namesakes(a, b))
		return 0;
	return code_next(p->codes, a)
		       ? 0
		       : code_pair(&p->job->world, a, b, code_steps(p->codes, file));
}

PyObject *merge_functions(struct plan *p, const struct module *m, PyObject *old, PyObject *new)
{
	if (!may_take(p, m, old, new))
		return py_ref(new);
	if (pointer_map_set(&p->stand_in, new, old) || pointer_map_set(&p->adopted, old, new) ||
	    pair_codes(p, old, new) || merge_closures(p, m, old, new) ||
	    merge_wrapped(p, m, old, new) || annotations_merge(p, m, old, new))
		return NULL;
	return py_ref(old);
}
